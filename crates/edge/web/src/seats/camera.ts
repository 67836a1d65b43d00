// Which part of the drawing is seen, and how large. Pure: every move gives a new camera,
// and the drawing never leaves the window.

export interface Size {
  width: number;
  height: number;
}

export interface Camera {
  /** Pixels for one unit of the drawing. */
  scale: number;
  /** The drawing's origin in pixels of the window. */
  x: number;
  y: number;
}

/** The closest look: a seat this many pixels wide. */
const LARGEST_SCALE = 48;

/** The whole drawing, in the middle of the window. */
export function showAll(drawing: Size, window: Size): Camera {
  const scale = Math.min(window.width / drawing.width, window.height / drawing.height);
  return {
    scale,
    x: (window.width - drawing.width * scale) / 2,
    y: (window.height - drawing.height * scale) / 2,
  };
}

/** Closer or farther, with the point under the finger staying where it is. */
export function zoomAt(
  camera: Camera,
  factor: number,
  at: { x: number; y: number },
  drawing: Size,
  window: Size,
): Camera {
  const smallest = showAll(drawing, window).scale;
  const largest = Math.max(smallest, LARGEST_SCALE);
  const scale = Math.min(largest, Math.max(smallest, camera.scale * factor));
  const grown = scale / camera.scale;
  const moved = {
    scale,
    x: at.x - (at.x - camera.x) * grown,
    y: at.y - (at.y - camera.y) * grown,
  };
  return keepInside(moved, drawing, window);
}

export function pan(camera: Camera, dx: number, dy: number, drawing: Size, window: Size): Camera {
  return keepInside({ ...camera, x: camera.x + dx, y: camera.y + dy }, drawing, window);
}

/** A point of the window as a point of the drawing. */
export function toDrawing(camera: Camera, x: number, y: number): { x: number; y: number } {
  return { x: (x - camera.x) / camera.scale, y: (y - camera.y) / camera.scale };
}

function keepInside(camera: Camera, drawing: Size, window: Size): Camera {
  return {
    scale: camera.scale,
    x: keepEdge(camera.x, drawing.width * camera.scale, window.width),
    y: keepEdge(camera.y, drawing.height * camera.scale, window.height),
  };
}

/** Centred while smaller than the window, otherwise without a gap at its edges. */
function keepEdge(origin: number, length: number, room: number): number {
  if (length <= room) return (room - length) / 2;
  return Math.min(0, Math.max(room - length, origin));
}
