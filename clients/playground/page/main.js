// The start: what the service has, and which view an address names.

import { trouble } from "./advice.js";
import * as api from "./api.js";
import * as asking from "./ask.js";
import { chooser } from "./chooser.js";
import * as compare from "./compare.js";
import { byId } from "./dom.js";
import * as gallery from "./gallery.js";
import * as history from "./history.js";

const VIEWS = { ask: "Ask", tasks: "Tasks", history: "History" };
const page = { tasks: [], hasStore: false, mayChange: false, ask, changed };
let choices = null;

async function begin() {
  byId("trouble").replaceChildren();
  try {
    const { service, has_store: hasStore, may_change: mayChange } = await api.state();
    byId("service").textContent = `asks ${service}`;
    Object.assign(page, { hasStore, mayChange, tasks: await api.tasks() });
  } catch (error) {
    byId("trouble").replaceChildren(trouble(error, begin));
  }
  choices = chooser(page.tasks, compare.choose);
  route();
}

/** Ask one task, maybe about a sample; the address names the view. */
function ask(file, name) {
  choices.choose(name);
  if (file) asking.take([file]);
  location.hash = "#ask";
}

async function changed(name) {
  gallery.forget(name);
  asking.forget(name);
  page.tasks = await api.tasks().catch(() => page.tasks);
}

function route() {
  const [wanted, name = ""] = location.hash.slice(1).split("/");
  const view = wanted in VIEWS ? wanted : "ask";
  for (const one of Object.keys(VIEWS)) {
    byId(`view-${one}`).hidden = one !== view;
    const link = document.querySelector(`nav a[href="#${one}"]`);
    if (one === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${[name, VIEWS[view]].filter(Boolean).join(", ")} · Playground`;
  if (view === "ask") asking.refresh();
  if (view === "tasks") gallery.show(name, page);
  if (view === "history") history.show(name || page.tasks[0]?.task, page);
}

function navigate() {
  const isChoosing = document.activeElement?.id === "history-task";
  route();
  if (isChoosing) return byId("history-task").focus();
  scrollTo(0, 0);
  byId("content").focus({ preventScroll: true });
}

api.takeKey();
asking.start();
compare.start();
addEventListener("hashchange", navigate);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names a view, not a place
  byId("content").focus();
});
begin();
