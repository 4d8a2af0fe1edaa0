// All tasks as cards, and one of them in full: what it tells apart, how well, and its model card.

import { trouble } from "./advice.js";
import * as api from "./api.js";
import { byId, count, el, inWords, percent, say, version } from "./dom.js";
import { rendered } from "./markdown.js";

const PAGE = 60;
const FEW_CLASSES = 40;
const known = new Map();

/**
 * Show the gallery, or one task.
 *
 * `ask` is called with a sample that a person wants to ask about, and the task.
 */
export async function show(name, { tasks, hasStore, ask }) {
  const body = el("div", {});
  byId("view-tasks").replaceChildren(body);
  if (!name) return body.replaceChildren(...list(tasks));
  body.replaceChildren(el("p", { class: "soft" }, `Reading about ${name} …`));
  try {
    body.replaceChildren(...(await whole(name, hasStore, ask)));
  } catch (error) {
    body.replaceChildren(back(), trouble(error));
  }
}

function list(tasks) {
  const cards = el("ul", { class: "gallery" });
  const more = el("button", { type: "button", on: { click: () => fill(tasks.length) } }, "Show all");
  const filter = el("input", { type: "search", id: "gallery-filter", placeholder: "Filter tasks", autocomplete: "off" });
  const seen = new IntersectionObserver((entries) => entries.filter((one) => one.isIntersecting).forEach(({ target }) => {
    seen.unobserve(target);
    complete(target);
  }), { rootMargin: "200px" });

  function fill(most) {
    const words = filter.value.trim().toLowerCase();
    const found = tasks.filter(({ task }) => task.includes(words));
    const made = found.slice(0, most).map(card);
    seen.disconnect();
    cards.replaceChildren(...made);
    made.forEach((one) => seen.observe(one));
    more.hidden = found.length <= most;
    return found.length;
  }

  filter.addEventListener("input", () => say(count(fill(PAGE), "task")));
  fill(PAGE);
  return [
    el("h2", { id: "gallery-title" }, "Tasks"),
    el("p", { class: "lead" }, tasks.length ? `One frozen backbone answers for ${count(tasks.length, "task")}.` : "Nothing is published yet."),
    tasks.length > 1 && el("div", { class: "filter" }, el("label", { class: "hidden", for: "gallery-filter" }, "Filter tasks"), filter),
    cards,
    more,
  ].filter(Boolean);
}

function card({ task, version: digits, canary }) {
  return el("li", { "data-task": task },
    el("a", { href: `#tasks/${task}` },
      el("span", { class: "samples" }),
      el("strong", {}, task),
      el("span", { class: "soft small about" }, "\u00a0"),
      el("span", { class: "soft small" }, version(digits), canary && el("small", { class: "tag" }, `canary ${percent(canary.share, 0)}`))));
}

/** Put on a card what only a task's own document tells. */
async function complete(place) {
  const info = await told(place.dataset.task).catch(() => null);
  if (!info) return;
  const accuracy = info.metrics?.test_accuracy;
  const parts = [info.num_classes && count(info.num_classes, "class", "classes"), info.method, accuracy != null && `${percent(accuracy)} right`];
  place.querySelector(".about").textContent = parts.filter(Boolean).join(" · ");
  const pictures = (info.samples ?? []).slice(0, 4).map(({ label, jpeg }) => el("img", { src: source(jpeg), alt: label }));
  place.querySelector(".samples").replaceChildren(...pictures);
}

async function told(name) {
  if (!known.has(name)) known.set(name, await api.task(name));
  return known.get(name);
}

/** Forget what was told of a task whose versions have changed. */
export const forget = (name) => known.delete(name);

const back = () => el("p", {}, el("a", { href: "#tasks" }, "All tasks"));

async function whole(name, hasStore, ask) {
  const info = await told(name);
  const lacks = hasStore && (info.metrics == null || info.card == null);
  const shown = lacks ? (await api.about(name)).shown : {};
  const metrics = Object.entries(info.metrics ?? shown.metrics ?? {});
  const text = info.card ?? shown.card;
  return [
    back(),
    el("h2", { id: "gallery-title" }, name),
    info.trouble && el("p", { class: "alarm" }, info.trouble),
    facts(info),
    el("p", { class: "buttons" },
      el("a", { class: "button primary", href: "#ask", on: { click: () => ask(null, name) } }, "Ask this task"),
      el("a", { class: "button", href: `#history/${name}` }, "History")),
    metrics.length > 0 && part("Metrics", el("dl", { class: "metrics" }, metrics.map(metric))),
    info.samples?.length > 0 && part("Sample images", samples(info.samples, name, ask)),
    info.class_names?.length > 0 && part("Classes", classes(info.class_names)),
    text && el("section", { class: "card" }, el("h3", {}, "Model card"), ...rendered(text)),
  ].filter(Boolean);
}

const part = (title, ...inside) => el("section", {}, el("h3", {}, title), ...inside);

function facts(info) {
  const rows = [
    ["version", version(info.version)],
    ["method", info.method],
    ["classes", info.num_classes?.toLocaleString("en")],
    ["canary", info.canary && el("span", {}, version(info.canary.version), ` for ${percent(info.canary.share)}`)],
  ].filter(([, value]) => value);
  return el("dl", { class: "facts" }, rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function metric([name, value]) {
  const isShare = /accuracy|map$|f1|auroc|error/.test(name) && value >= 0 && value <= 1;
  return el("div", {}, el("dt", {}, inWords(name)), el("dd", {}, isShare ? percent(value) : String(Number(value.toPrecision(4)))));
}

function samples(found, name, ask) {
  return el("ul", { class: "tiles" }, found.map(({ label, jpeg }) => el("li", {},
    el("button", { type: "button", "aria-label": `Ask about the sample of ${label}`, on: { click: () => ask(file(jpeg, label), name) } },
      el("img", { src: source(jpeg), alt: "" }), el("span", {}, label)))));
}

const source = (jpeg) => `data:image/jpeg;base64,${jpeg}`;

function file(jpeg, label) {
  const bytes = Uint8Array.from(atob(jpeg), (one) => one.charCodeAt(0));
  return new File([bytes], `${label}.jpg`, { type: "image/jpeg" });
}

function classes(names) {
  const all = el("ul", { class: "tags" }, names.map((name) => el("li", {}, name)));
  if (names.length <= FEW_CLASSES) return all;
  return el("details", {}, el("summary", {}, `all ${names.length.toLocaleString("en")}`), all);
}
