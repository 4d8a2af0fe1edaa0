// Where the model looks, drawn over the image it looked at.

const STOPS = [[0, 28, 27, 25], [0.45, 194, 106, 18], [1, 255, 226, 138]];

/** Draw an answer's attention on a canvas that lies over its whole image. */
export function draw(canvas, image, attention) {
  const [rows, columns] = attention.grid;
  const small = new OffscreenCanvas(columns, rows);
  const pixels = small.getContext("2d").createImageData(columns, rows);
  const values = floats(attention.values);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  values.forEach((value, i) => pixels.data.set(colour((value - least) / (most - least || 1)), 4 * i));
  small.getContext("2d").putImageData(pixels, 0, 0);

  canvas.width = 2 * image.clientWidth;
  canvas.height = 2 * image.clientHeight;
  const { left, top, width, height } = shown(canvas, attention);
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(small, left, top, width, height);
}

/** Return the part of a picture that the model is shown, in the picture's own units. */
export function shown({ width, height }, { resize = "squash", crop = 1 }) {
  const side = Math.min(width, height) * crop;
  const [wide, tall] = resize === "squash" ? [width * crop, height * crop] : [side, side];
  return { left: (width - wide) / 2, top: (height - tall) / 2, width: wide, height: tall };
}

/** Return numbers that are written as base64 of little-endian float32, or as a list. */
export function floats(values) {
  if (typeof values !== "string") return values;
  const bytes = Uint8Array.from(atob(values), (one) => one.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

function colour(share) {
  const above = Math.max(1, STOPS.findIndex(([stop]) => share <= stop));
  const [[from, ...low], [to, ...high]] = [STOPS[above - 1], STOPS[above]];
  const part = (share - from) / (to - from);
  return [...low.map((one, i) => one + part * (high[i] - one)), 255 * share];
}
