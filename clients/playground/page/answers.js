// One answer as a person reads it: bars, a number, classes that are there, or why there is none.

import { trouble } from "./advice.js";
import { el, percent, version } from "./dom.js";

/** Return an element for an answer; `former` are its labels' scores in the version compared with. */
export function answer(found, { ms, former = null, again }) {
  const task = found.task ?? found.error?.task;
  const head = el("h4", {}, task, found.version && version(found.version));
  if (found.error) return el("article", { class: "answer" }, head, trouble(found.error, again));
  return el("article", { class: `answer${found.unknown ? " unknown" : ""}` },
    head,
    found.unknown && el("p", { class: "notice" }, "Unknown: the image looks like none of its classes."),
    found.value != null && number(found),
    found.labels && present(found.labels),
    bars(found.predictions.map(({ label, score }) => [label, score]), former),
    found.groups?.length > 0 && [el("h5", {}, "Groups"), bars(found.groups.map(({ group, score }) => [group, score]))],
    el("p", { class: "soft small" }, foot(found, ms)));
}

/** Return an answer in a few words. */
export function inShort(found) {
  if (found.error) return `${found.error.task ?? "the call"}: ${found.error.message}`;
  if (found.unknown) return `${found.task}: unknown`;
  if (found.labels) return `${found.task}: ${found.labels.join(", ") || "none of its classes"}`;
  if (!found.predictions.length) return `${found.task}: ${readable(found.value)}`;
  const [{ label, score }] = found.predictions;
  return `${found.task}: ${label}, ${percent(score)}`;
}

const readable = (value) => Number(value.toPrecision(6)).toLocaleString("en", { maximumFractionDigits: 6 });

function number({ value, target }) {
  const words = target === "ordinal" && el("span", { class: "soft" }, "expected value");
  return el("p", { class: "number" }, el("b", {}, readable(value)), words);
}

function present(labels) {
  if (!labels.length) return el("p", { class: "notice" }, "None of its classes reaches its threshold.");
  return el("ul", { class: "tags", "aria-label": "Classes in the image" }, labels.map((label) => el("li", {}, label)));
}

function bars(scores, former = null) {
  if (!scores.length) return null;
  return el("ol", { class: "bars" }, scores.map(([label, score]) => {
    const fill = el("span", {});
    fill.style.width = percent(score, 2);
    return el("li", {},
      el("span", { class: "label" }, label),
      el("span", { class: "score" }, exact(score), former && difference(score, former.get(label))),
      el("span", { class: "track", "aria-hidden": "true" }, fill));
  }));
}

/** Return a score in words that do not round it to never or always. */
function exact(score) {
  if (score > 0 && score < 0.0005) return "< 0.1%";
  return score < 1 && score >= 0.9995 ? "> 99.9%" : percent(score);
}

function difference(score, before) {
  if (before == null) return el("small", { class: "soft" }, " new here");
  const points = 100 * (score - before);
  if (Math.abs(points) < 0.05) return null;
  const sign = points < 0 ? "−" : "+";
  return el("small", { class: "soft" }, ` ${sign}${Math.abs(points).toFixed(1)}`);
}

function foot({ attention, target }, ms) {
  const parts = [`${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`];
  if (target) parts.push(target);
  if (attention?.prompts) parts.push(`${percent(attention.prompts, 0)} of its attention is on prompts`);
  return parts.join(" · ");
}
