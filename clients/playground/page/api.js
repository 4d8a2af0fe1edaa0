// What the page asks the playground's server. Knows no element.

const KEY = "playground-key";

/** Why something was not answered: a code for programs, a message for people. */
export class Refusal extends Error {
  constructor(status, { code, message, task = null, retry_after_s = null }) {
    super(message);
    Object.assign(this, { status, code, task, retryAfter: retry_after_s });
  }
}

/** Take the key out of the address, where it is shown to everyone who looks. */
export function takeKey() {
  const found = /^#key=([\w-]+)$/.exec(location.hash);
  if (!found) return;
  sessionStorage.setItem(KEY, found[1]);
  history.replaceState(null, "", "#ask");
}

export const state = () => ask("/api/state");

export const about = (task) => ask(`/api/about?${new URLSearchParams({ task })}`);

/** Return every task that may be asked, by name. */
export async function tasks() {
  const found = [];
  let after = "";
  do {
    const page = await ask(`/api/tasks?${new URLSearchParams({ limit: 1000, ...(after && { after }) })}`);
    found.push(...page.tasks);
    after = page.next;
  } while (after);
  return found;
}

/** Return all that the service tells of one task; an older one has no samples and no card. */
export async function task(name) {
  const listed = (more) => ask(`/api/tasks?${new URLSearchParams({ task: name, ...more })}`);
  let page;
  try {
    page = await listed({ samples: true, card: true });
  } catch (error) {
    if (error.code !== "bad_parameter") throw error;
    page = await listed({});
  }
  return page.tasks[0];
}

/**
 * Return the entries of some tasks about an image, in their order, and the milliseconds it took.
 *
 * An entry is an answer, or `{"error": {…}}`.
 */
export async function predict(blob, names, { version = null, attention = false } = {}) {
  const query = new URLSearchParams({ task: names.join(",") });
  if (version) query.set("version", version);
  if (attention) query.set("attention", "true");
  const { body, headers } = await send(`/api/predict?${query}`, { method: "POST", body: blob });
  return { entries: body.answers ?? [body], ms: Number(headers.get("X-Service-Ms")) };
}

/** Have a change made that a person has confirmed; return which versions answer now. */
export function change(move) {
  const headers = { "Content-Type": "application/json" };
  return ask("/api/change", { method: "POST", body: JSON.stringify(move), headers });
}

const ask = async (path, options) => (await send(path, options)).body;

async function send(path, { headers = {}, ...options } = {}) {
  const key = sessionStorage.getItem(KEY);
  const shown = key ? { ...headers, "X-Playground-Key": key } : headers;
  let response, body;
  try {
    response = await fetch(path, { headers: shown, ...options });
    body = await response.json();
  } catch {
    throw new Refusal(0, { code: "playground_away", message: "The playground does not answer." });
  }
  if (body.error) throw new Refusal(body.status ?? response.status, body.error);
  return { body, headers: response.headers };
}
