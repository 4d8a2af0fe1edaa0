// The view that asks: every image about every chosen task, each once.

import { trouble } from "./advice.js";
import { answer, inShort } from "./answers.js";
import * as api from "./api.js";
import { byId, el, say } from "./dom.js";
import { listen, prepared } from "./images.js";
import { draw } from "./overlay.js";

const TASKS_PER_CALL = 16;
const LANES = 2;

const shelf = [];
const lanes = Array.from({ length: LANES }, () => Promise.resolve());
let columns = [];
let looks = false;

/** Begin to take images. */
export function start() {
  listen((files) => take(files));
  byId("attention").addEventListener("change", ({ target }) => look(target.checked));
  byId("opacity").addEventListener("input", ({ target }) => {
    target.setAttribute("aria-valuetext", `${target.value}%`);
    fade();
  });
}

/** Ask about other tasks: `{task, version}` each, the current version where there is none. */
export function setColumns(wanted) {
  columns = wanted;
  refresh();
}

/** Take files, of which each becomes an image with its answers. */
export async function take(files) {
  for (const file of files) {
    const image = { name: file.name, answers: new Map(), list: el("div", { class: "answers" }) };
    try {
      Object.assign(image, await prepared(file));
    } catch (error) {
      image.error = error;
    }
    shelf.unshift(image);
    byId("results").prepend(shell(image));
    fill(image);
  }
  byId("empty").hidden = shelf.length > 0;
  const isNarrow = matchMedia("(max-width: 60rem)").matches;
  if (isNarrow && files.length && columns.length) shelf[0].place.scrollIntoView({ block: "nearest" });
}

function shell(image) {
  const remove = () => {
    shelf.splice(shelf.indexOf(image), 1);
    if (image.url) URL.revokeObjectURL(image.url);
    image.place.remove();
    byId("empty").hidden = shelf.length > 0;
    byId("choose").focus();
  };
  image.canvas = el("canvas", { "aria-hidden": "true" });
  image.picture = image.url && el("img", { src: image.url, alt: image.name, class: image.isSmall ? "pixels" : null });
  image.picker = el("div", { class: "picker" });
  image.place = el("li", { class: "image" },
    el("div", { class: "title" },
      el("h3", {}, image.name),
      el("button", { type: "button", "aria-label": `Remove ${image.name}`, on: { click: remove } }, "Remove")),
    image.picture && el("figure", {},
      el("div", { class: "frame" }, image.picture, image.canvas),
      image.note && el("figcaption", {}, image.note),
      image.picker),
    image.list);
  if (image.picture) new ResizeObserver(() => overlay(image)).observe(image.picture);
  return image.place;
}

/** Ask what is not known yet of all images. */
export function refresh() {
  shelf.forEach(fill);
}

/** Forget what a task has said, for another version may answer now. */
export function forget(task) {
  for (const { answers } of shelf) {
    for (const key of [...answers.keys()]) if (key.startsWith(`${task}@`)) answers.delete(key);
  }
}

const keyOf = ({ task, version }) => `${task}@${version ?? ""}${looks ? " with attention" : ""}`;

/** Ask what is not known yet of an image, and show what is. */
function fill(image) {
  const missing = image.error ? [] : columns.filter((one) => !image.answers.has(keyOf(one)));
  for (const one of missing) image.answers.set(keyOf(one), null);
  render(image);
  for (const calls of inCalls(missing)) {
    const lane = shelf.indexOf(image) % LANES;
    lanes[lane] = lanes[lane].then(() => askOnce(image, calls));
  }
}

function inCalls(missing) {
  const current = missing.filter(({ version }) => !version);
  const calls = missing.filter(({ version }) => version).map((one) => [one]);
  for (let i = 0; i < current.length; i += TASKS_PER_CALL) calls.push(current.slice(i, i + TASKS_PER_CALL));
  return calls;
}

async function askOnce(image, wanted) {
  const keys = wanted.map(keyOf);
  const options = { version: wanted[0].version, attention: looks };
  try {
    const { entries, ms } = await api.predict(image.blob, wanted.map(({ task }) => task), options);
    entries.forEach((found, i) => image.answers.set(keys[i], { found, ms }));
    say(`${image.name}: ${entries.map(inShort).join("; ")}`);
  } catch (error) {
    if (error.code === "bad_parameter" && error.message.includes("attention")) return withoutAttention();
    wanted.forEach(({ task }, i) => {
      const failed = { code: error.code, message: error.message, task };
      image.answers.set(keys[i], { found: { error: failed } });
    });
    say(`${image.name}: ${error.message}`);
  }
  render(image);
}

function render(image) {
  if (image.error) return image.list.replaceChildren(trouble(image.error));
  const shown = columns.map((one, i) => {
    const known = image.answers.get(keyOf(one));
    if (!known) return el("p", { class: "answer waiting soft" }, `${one.task} …`);
    return answer(known.found, { ms: known.ms, former: formerOf(image, i), again: () => again(image, one) });
  });
  if (!shown.length) shown.push(el("p", { class: "soft" }, "Choose a task to ask about this image."));
  image.list.replaceChildren(...shown);
  pick(image);
  overlay(image);
}

/** Return the scores that a version is compared with: those of the same task, one column before. */
function formerOf(image, i) {
  if (i === 0 || columns[i - 1].task !== columns[i].task) return null;
  const before = image.answers.get(keyOf(columns[i - 1]))?.found.predictions ?? [];
  return new Map(before.map(({ label, score }) => [label, score]));
}

function again(image, one) {
  image.answers.delete(keyOf(one));
  fill(image);
}

function look(isWanted) {
  looks = isWanted;
  byId("opacity-row").hidden = !looks;
  refresh();
}

function withoutAttention() {
  byId("looking").hidden = true;
  look(false);
  say("This service does not tell where the model looks.");
}

function withAttention(image) {
  return columns.filter((one) => image.answers.get(keyOf(one))?.found.attention);
}

/** Let a person pick whose attention is shown, where there are several. */
function pick(image) {
  const found = withAttention(image);
  if (!found.some((one) => keyOf(one) === image.looking)) image.looking = found[0] && keyOf(found[0]);
  if (found.length < 2) return image.picker.replaceChildren();
  const change = ({ target }) => {
    image.looking = target.value;
    overlay(image);
  };
  const options = found.map((one) => el("option", { value: keyOf(one), selected: keyOf(one) === image.looking },
    one.version ? `${one.task}, ${one.version.slice(0, 12)}` : one.task));
  image.picker.replaceChildren(el("label", {}, "Attention of ", el("select", { on: { change } }, options)));
}

function overlay(image) {
  const attention = image.answers.get(image.looking)?.found.attention;
  image.place?.classList.toggle("looked", Boolean(attention));
  if (attention && image.picture?.clientWidth) draw(image.canvas, image.picture, attention);
  fade();
}

function fade() {
  document.documentElement.style.setProperty("--overlay", byId("opacity").value / 100);
}

