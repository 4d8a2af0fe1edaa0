// Two versions of one task side by side: offered where one task is chosen that has several.

import * as api from "./api.js";
import { byId, el } from "./dom.js";
import { setColumns } from "./ask.js";

const NONE = "";
let chosen = [];

/** Begin to hear which versions are wanted. */
export function start() {
  for (const name of ["first", "second"]) byId(name).addEventListener("change", tell);
}

/** Ask about these tasks, of one task maybe about two versions. */
export async function choose(tasks) {
  chosen = tasks;
  byId("compare").hidden = true;
  byId("second").replaceChildren();
  tell();
  if (tasks.length !== 1) return;
  const info = await api.task(tasks[0]).catch(() => null);
  if (!info || chosen !== tasks) return;
  const versions = versionsOf(info);
  if (versions.length < 2) return;
  byId("first").replaceChildren(...versions.map(option));
  byId("second").replaceChildren(el("option", { value: NONE }, "none"), ...versions.map(option));
  byId("compare").hidden = false;
}

/** Return what may be asked of a task, and what each version is to it. */
function versionsOf({ version, canary, versions = [] }) {
  const known = new Map([[version, "current"]]);
  if (canary) known.set(canary.version, "canary");
  for (const one of versions) if (!known.has(one)) known.set(one, "earlier");
  return [...known];
}

const option = ([version, what]) => el("option", { value: version }, `${version.slice(0, 12)}, ${what}`);

function tell() {
  const second = byId("second").value;
  if (chosen.length !== 1 || !second) {
    const first = byId("compare").hidden || byId("first").selectedIndex <= 0 ? null : byId("first").value;
    setColumns(chosen.map((task) => ({ task, version: first })));
  } else {
    setColumns([byId("first").value, second].map((version) => ({ task: chosen[0], version })));
  }
}
