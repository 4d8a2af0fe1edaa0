// The list of tasks to choose from: a filter, and a box for each.

import { byId, count, el, say } from "./dom.js";

const SHOWN = 200;
const KEPT = "playground-tasks";

/** Fill the list; `changed` is called with the names that are chosen, in their order. */
export function chooser(tasks, changed) {
  const known = new Set(tasks.map(({ task }) => task));
  const kept = (sessionStorage.getItem(KEPT) ?? "").split(",").filter((name) => known.has(name));
  const chosen = new Set(kept.length || tasks.length !== 1 ? kept : known);

  function toggle(name, isChosen) {
    if (isChosen) chosen.add(name);
    else chosen.delete(name);
    tell();
  }

  function tell() {
    sessionStorage.setItem(KEPT, [...chosen].join(","));
    byId("chosen").textContent = chosen.size ? `Chosen: ${[...chosen].join(", ")}` : "None is chosen yet.";
    changed([...chosen]);
  }

  function show() {
    const words = byId("filter").value.trim().toLowerCase();
    const found = tasks.filter(({ task }) => task.includes(words));
    const rows = found.slice(0, SHOWN).map(({ task, canary }) => row(task, canary));
    if (!found.length) rows.push(el("p", { class: "soft" }, `No task has “${words}” in its name.`));
    if (found.length > SHOWN) {
      rows.push(el("p", { class: "soft" }, `and ${count(found.length - SHOWN, "other")}; type a part of the name`));
    }
    byId("choices").replaceChildren(...rows);
    return found.length;
  }

  function row(name, canary) {
    const change = ({ target }) => toggle(name, target.checked);
    const box = el("input", { type: "checkbox", on: { change } });
    box.checked = chosen.has(name);
    return el("label", { class: "check" }, box, el("span", {}, name), " ", canary && el("small", { class: "tag" }, "canary"));
  }

  byId("filter").oninput = () => say(`${count(show(), "task")} in the list`);
  show();
  tell();
  return {
    choose(name) {
      chosen.add(name);
      show();
      tell();
    },
  };
}
