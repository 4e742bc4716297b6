// Making elements. Text becomes text and never markup: there is no way in here that would parse any.

export const byId = (id) => document.getElementById(id);

// Attributes whose value a browser would run or follow are none of ours to set.
const ATTRIBUTE = /^(id|class|type|name|value|for|role|tabindex|title|placeholder|rows|maxlength|autocomplete|spellcheck|hidden|disabled|checked|open|datetime|aria-[a-z]+|data-[a-z]+)$/;

// el("p", { class: "calm", on: { click } }, "text", element)
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") {
      for (const [event, does] of Object.entries(value)) element.addEventListener(event, does);
    } else if (!ATTRIBUTE.test(name)) {
      throw new Error(`attribute ${name}`);
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

// What changed is said to people who do not see it. The same words twice are said twice.
export function announce(text, urgent = false) {
  const region = byId(urgent ? "urgent" : "polite");
  const last = region.lastElementChild;
  if (last && region.childElementCount > 4) region.firstElementChild.remove();
  region.append(el("p", {}, text));
}

export function bytes(count) {
  if (count < 1024) return `${count} B`;
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
  let size = count / 1024;
  let unit = 0;
  while (size >= 1024 && unit + 1 < units.length) { size /= 1024; unit += 1; }
  return `${size.toFixed(1)} ${units[unit]}`;
}

export function duration(milliseconds) {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds % 86400 / 3600)} h`;
}

export function clock(time) {
  const at = new Date(time);
  const two = (number) => String(number).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

export const when = (time) => el("time", { datetime: time, title: new Date(time).toLocaleString() }, clock(time));

export const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

// A list of names and values; what is missing is left out.
export function facts(pairs) {
  const list = el("dl", { class: "facts" });
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    list.append(el("div", {}, el("dt", {}, name), el("dd", {}, value instanceof Node ? value : String(value))));
  }
  return list;
}
