// Zooming keeps the point under the finger; nothing ever leaves the window.
import { describe, expect, it } from 'vitest';
import { pan, showAll, toDrawing, zoomAt } from './camera.ts';

const DRAWING = { width: 40, height: 20 };
const WINDOW = { width: 400, height: 300 };

describe('camera', () => {
  const whole = showAll(DRAWING, WINDOW);

  it('shows the whole drawing in the middle', () => {
    expect(whole).toEqual({ scale: 10, x: 0, y: 50 });
  });

  it('keeps the point under the finger while zooming in', () => {
    const at = { x: 200, y: 150 };
    const before = toDrawing(whole, at.x, at.y);
    const closer = zoomAt(whole, 2, at, DRAWING, WINDOW);
    const after = toDrawing(closer, at.x, at.y);
    expect(closer.scale).toBe(20);
    expect(after.x).toBeCloseTo(before.x);
    expect(after.y).toBeCloseTo(before.y);
  });

  it('never gets smaller than the whole nor closer than its bound', () => {
    const at = { x: 10, y: 10 };
    expect(zoomAt(whole, 0.1, at, DRAWING, WINDOW)).toEqual(whole);
    expect(zoomAt(whole, 1_000, at, DRAWING, WINDOW).scale).toBe(48);
  });

  it('cannot be dragged out of the window', () => {
    const closer = zoomAt(whole, 2, { x: 0, y: 0 }, DRAWING, WINDOW);
    const dragged = pan(closer, 5_000, -5_000, DRAWING, WINDOW);
    expect(dragged.x).toBe(0);
    expect(dragged.y).toBe(WINDOW.height - DRAWING.height * closer.scale);
  });
});
