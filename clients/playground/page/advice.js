// What a person can do about a refusal, by its code.

import { el } from "./dom.js";

const ADVICE = {
  playground_away: "Start it again with “spt playground”, and open the address that it prints.",
  service_away: "Start the service with “make serve”, or give its address with --url.",
  bad_token: "Start the playground with --token-file, such as runs/serve/inference.token.",
  bad_key: "Start the playground with the key of a tenant, in SPT_API_KEY.",
  forbidden: "This key may not ask this task. Choose another task, or ask with another key.",
  not_ready: "The service is starting or has much to do. Ask again in a moment.",
  store_unavailable: "The service cannot read its store. Ask again in a moment.",
  rate_limited: "The key has asked as often as it may for now. Ask again in a moment.",
  bad_image: "Choose a JPEG, PNG or WebP image that opens in other programs.",
  not_an_image: "Choose a JPEG, PNG or WebP image that opens in other programs.",
  image_too_large: "Choose a smaller image.",
  body_too_slow: "Ask again.",
  task_not_found: "The task is gone. Load this page again for the tasks that there are now.",
  version_not_found: "The version is gone. Choose another one.",
  wrong_backbone: "The task was trained for another backbone. Choose another task.",
  adapter_damaged: "Publish the task again, or roll back to the version before.",
  adapter_not_trusted: "The version needs the signature of a key that the service trusts.",
  out_of_memory: "Ask again in a moment.",
  internal: "The log of the service says why.",
  no_key: "Open the address that “spt playground” has printed.",
  command_refused: "Look at the history below as it is now, and decide again.",
};

/** Return what went wrong and what to do, as an element; `again` is called by its button. */
export function trouble(error, again = null) {
  const advice = ADVICE[error.code];
  return el("div", { class: "alarm" },
    el("p", {}, error.message),
    advice && el("p", {}, advice),
    again && el("button", { type: "button", on: { click: again } }, "Ask again"));
}
