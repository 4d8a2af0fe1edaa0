// Elements in one call, and what is said to screen readers. Text is text, never markup.

export const byId = (id) => document.getElementById(id);

/** Return a new element; `on` has listeners, every other property is an attribute. */
export function el(tag, { on = {}, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  for (const [event, listener] of Object.entries(on)) made.addEventListener(event, listener);
  made.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return made;
}

/** Say something to those who do not see it. */
export function say(text) {
  byId("said").textContent = text;
}

/** Return a version as people read it. */
export const version = (digits) => el("code", { title: digits }, digits.slice(0, 12));

export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}%`;

export const count = (number, one, many = `${one}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** Return words with letters for everything that a program's name has, such as `test_accuracy`. */
export const inWords = (name) => name.replaceAll("_", " ").replace(/^val /, "validation ");
