// Pointers on the picture: a tap picks, a drag moves, two fingers or ctrl and the wheel
// zoom. A plain wheel is left to the page, which would otherwise be hard to scroll.
import type { Picture } from './picture.ts';

/** A finger that moves less than this did not mean to drag. */
const DRAG_FROM_PX = 6;
const WHEEL_ZOOM = 0.0025;

interface Point {
  x: number;
  y: number;
}

export function listenForGestures(canvas: HTMLCanvasElement, picture: Picture): void {
  const pointers = new Map<number, Point>();
  let start: Point | null = null;
  let dragged = false;

  const drag = (id: number, before: Point, now: Point): void => {
    const other = [...pointers].find(([otherId]) => otherId !== id)?.[1];
    if (other) {
      const factor = distance(now, other) / Math.max(1, distance(before, other));
      picture.zoomAround(factor, (now.x + other.x) / 2, (now.y + other.y) / 2);
      dragged = true;
    } else if (dragged) {
      picture.moveBy(now.x - before.x, now.y - before.y);
    } else if (start && distance(start, now) > DRAG_FROM_PX) {
      dragged = true;
    }
  };

  canvas.addEventListener('pointerdown', (event) => {
    const point = within(canvas, event);
    if (pointers.size === 0) {
      start = point;
      dragged = false;
    }
    pointers.set(event.pointerId, point);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    const point = within(canvas, event);
    const before = pointers.get(event.pointerId);
    if (before) {
      drag(event.pointerId, before, point);
      pointers.set(event.pointerId, point);
    } else {
      picture.hover(point.x, point.y);
    }
  });
  canvas.addEventListener('pointerup', (event) => {
    const point = within(canvas, event);
    if (pointers.delete(event.pointerId) && !dragged && pointers.size === 0) {
      picture.touch(point.x, point.y, event.pointerType === 'touch');
    }
  });
  canvas.addEventListener('pointercancel', (event) => pointers.delete(event.pointerId));
  canvas.addEventListener(
    'wheel',
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const { x, y } = within(canvas, event);
      picture.zoomAround(Math.exp(-event.deltaY * WHEEL_ZOOM), x, y);
    },
    { passive: false },
  );
}

function within(canvas: HTMLCanvasElement, event: MouseEvent): Point {
  const frame = canvas.getBoundingClientRect();
  return { x: event.clientX - frame.left, y: event.clientY - frame.top };
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
