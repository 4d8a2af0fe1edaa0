// A model card as elements: headings, lists, paragraphs and code, all that our cards have.

import { el } from "./dom.js";

const FRONT_MATTER = /^---\n[\s\S]*?\n---\n/;

/** Return the elements of a card; its first heading, the task's name, is left out. */
export function rendered(text) {
  const blocks = text.replace(FRONT_MATTER, "").trim().split(/\n{2,}/);
  return blocks.filter((block) => !block.startsWith("# ")).map(element);
}

function element(block) {
  const heading = /^#{2,} (.*)$/.exec(block);
  if (heading) return el("h4", {}, ...inline(heading[1]));
  const lines = block.split("\n");
  if (lines.every((line) => /^([-*] |  )/.test(line))) {
    return el("ul", {}, block.split(/\n(?=[-*] )/).map((item) => el("li", {}, ...inline(item.slice(2)))));
  }
  return el("p", {}, ...inline(block));
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`")) return el("code", {}, part.slice(1, -1));
    return part.startsWith("**") ? el("strong", {}, part.slice(2, -2)) : part;
  });
}
