// What happened to a task's versions, which of them answer now, and the changes of that.

import { trouble } from "./advice.js";
import * as api from "./api.js";
import { confirmed } from "./confirm.js";
import { byId, count, el, percent, say, version } from "./dom.js";

const SHOWN = 50;

/** Show a task's history; `changed` is called after a change. */
export async function show(name, page) {
  const place = byId("view-history");
  const body = el("div", {}, el("p", { class: "soft" }, name ? `Reading the history of ${name} …` : "Nothing is published yet."));
  place.replaceChildren(...head(name, page), body);
  if (name) await fill(body, name, page);
}

function head(name, { tasks }) {
  const change = ({ target }) => { location.hash = `#history/${target.value}`; };
  const options = tasks.map(({ task }) => el("option", { value: task, selected: task === name }, task));
  return [
    el("h2", { id: "history-title" }, "History"),
    el("p", {}, el("label", { for: "history-task" }, "Task "), el("select", { id: "history-task", on: { change } }, options)),
  ];
}

async function fill(body, name, page, said = null) {
  try {
    const found = page.hasStore ? await ofStore(name) : await ofService(name);
    body.replaceChildren(...[
      said,
      now(found),
      page.mayChange && actions(found, (move) => make(body, page, move)),
      page.hasStore ? log(found, page.mayChange && ((move) => make(body, page, move))) : versions(found),
      !page.hasStore && el("p", { class: "soft" }, "Who changed what, and when, is in the store: start the playground with --store FOLDER."),
      page.hasStore && !page.mayChange && el("p", { class: "soft" }, "To make changes here, open the address that “spt playground” has printed."),
    ].filter(Boolean));
  } catch (error) {
    body.replaceChildren(trouble(error, () => fill(body, name, page)));
  }
}

async function ofStore(task) {
  const { log, shown } = await api.about(task);
  const { version: current, sequence, canary, held, history } = shown;
  return { task, current, sequence, canary, held: new Set(held), canGoBack: history.length > 1, log: log.reverse() };
}

async function ofService(task) {
  const { version: current, canary, versions: last = [] } = await api.task(task);
  return { task, current, canary, versions: last };
}

function now({ current, canary }) {
  const share = canary?.share ?? 0;
  const part = el("span", {});
  part.style.width = percent(share, 2);
  return el("section", { class: "panel now" },
    el("h3", {}, "Answers now"),
    el("dl", { class: "facts" },
      el("dt", {}, "current"), el("dd", {}, version(current), ` for ${percent(1 - share)} of requests`),
      canary && [el("dt", {}, "canary"), el("dd", {}, version(canary.version), ` for ${percent(share)}`)]),
    canary && el("div", { class: "share", "aria-hidden": "true" }, part));
}

function actions({ task, sequence, canary, canGoBack }, start) {
  const move = (what, words) => button({ what, task, sequence }, words, start);
  const found = [
    canary && move("promote", { label: "Promote the canary", primary: true, text: `${canary.version.slice(0, 12)} answers all requests to ${task}.` }),
    canary && move("end canary", { label: "End the canary", text: `The current version answers all requests to ${task} again.` }),
    canGoBack && move("rollback", { label: "Roll back", text: `The version before becomes current for ${task}.${canary ? " The canary goes on." : ""}` }),
  ].filter(Boolean);
  return found.length > 0 && el("div", { class: "buttons" }, found);
}

function button(move, { label, text, primary = false, name = null }, start) {
  const click = async () => {
    if (await confirmed({ title: `${label}?`, text, yes: label })) start(move);
  };
  return el("button", { type: "button", class: primary ? "primary" : null, "aria-label": name, on: { click } }, label);
}

/** Make a change, and show what became of it where it was asked for. */
async function make(body, page, move) {
  let said;
  for (const button of body.querySelectorAll("button")) button.disabled = true;
  body.prepend(el("p", { class: "soft waiting" }, "Making the change …"));
  try {
    const { pointer, note } = await api.change(move);
    const words = `Done: ${pointer.version.slice(0, 12)} is current for ${move.task}.${note ? ` ${note}.` : ""}`;
    said = el("p", { class: "notice", tabindex: "-1" }, words);
    page.changed(move.task);
  } catch (error) {
    said = trouble(error);
    said.tabIndex = -1;
  }
  await fill(body, move.task, page, said);
  said.focus();
  say(said.innerText);
}

function log({ task, current, sequence, canary, held, log: entries }, start) {
  const offered = new Set([current, canary?.version]);
  const rows = entries.slice(0, SHOWN).map((entry) => {
    const about = entry.subject ?? entry.current;
    const isOffered = start && held.has(about) && !offered.has(about);
    offered.add(about);
    const digits = about.slice(0, 12);
    const words = { label: "Make current", name: `Make ${digits} current`, text: `${digits} answers requests to ${task}.` };
    return el("li", {},
      el("div", {},
        el("strong", {}, entry.what), " ", version(about),
        about === current && el("small", { class: "tag" }, "current"),
        entry.canary && el("small", { class: "tag" }, `canary ${percent(entry.canary.share, 0)}`),
        el("p", { class: "soft small" }, [moment(entry.at), entry.by && `by ${entry.by}`, entry.why].filter(Boolean).join(" · "))),
      isOffered && button({ what: "promote", task, sequence, version: about }, words, start));
  });
  return el("section", {},
    el("h3", {}, "What happened"),
    el("ol", { class: "log", reversed: true }, rows),
    entries.length > SHOWN && el("p", { class: "soft" }, `and ${count(entries.length - SHOWN, "earlier change")}: spt log ${task}`));
}

function versions({ versions: last, current, canary }) {
  const rows = last.map((one) => el("li", {}, el("div", {}, version(one),
    one === current && el("small", { class: "tag" }, "current"),
    one === canary?.version && el("small", { class: "tag" }, "canary"))));
  return el("section", {}, el("h3", {}, "Last versions"), el("ol", { class: "log" }, rows));
}

function moment(text) {
  return new Date(text).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
