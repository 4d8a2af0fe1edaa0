// Images as a person gives them: dropped, pasted, chosen or photographed; made fit to be sent.

import { byId, el } from "./dom.js";

const TAKEN = ["image/jpeg", "image/png", "image/webp"];
const MOST_BYTES = 9_500_000;
const MOST_PIXELS = 16_000_000;
const LONGEST = 2048;
const SMALL = 128;

/** Call `take` with the files of every drop, paste and choice. */
export function listen(take) {
  const drop = byId("drop");
  byId("photograph").hidden = navigator.maxTouchPoints === 0;
  for (const [button, input] of [["choose", "files"], ["photograph", "camera"]]) {
    byId(button).addEventListener("click", () => byId(input).click());
    byId(input).addEventListener("change", ({ target }) => {
      take([...target.files]);
      target.value = "";
    });
  }
  for (const event of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(event, (happened) => {
      happened.preventDefault();
      drop.classList.toggle("over", event === "dragover");
    });
  }
  document.addEventListener("drop", ({ dataTransfer }) => take([...dataTransfer.files]));
  document.addEventListener("paste", ({ clipboardData }) => take([...clipboardData.files]));
}

/**
 * Return an image that can be sent: `{name, blob, url, note, isSmall}`; `url` is null if it cannot be shown.
 *
 * What the service takes is sent as it is. Everything else that the browser can read becomes a JPEG.
 */
export async function prepared(file) {
  const name = file.name || "pasted image";
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) {
    if (TAKEN.includes(file.type)) return { name, blob: file, url: null, note: "" };
    throw { code: "not_an_image", message: `${name} is no image that this browser can read.` };
  }
  const { width, height } = bitmap;
  const fits = TAKEN.includes(file.type) && file.size <= MOST_BYTES && width * height <= MOST_PIXELS;
  const blob = fits ? file : await asJpeg(bitmap);
  bitmap.close();
  const note = fits ? "" : "made a JPEG here, to be sent";
  return { name, blob, url: URL.createObjectURL(blob), note, isSmall: Math.max(width, height) <= SMALL };
}

function asJpeg(bitmap) {
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const size = { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) };
  const canvas = el("canvas", size);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, size.width, size.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}
