// What every page does: parts that are told anew, choices that send their form, and the key that leads to the search.
import { Live } from "./live.js";
import { part } from "./talking.js";

const sections = [...document.querySelectorAll("[data-live]")];

/** A part that somebody uses just now stays as it is. */
function isUsed(section) {
  return section.contains(document.activeElement) && document.activeElement !== section;
}

function place(section, html) {
  if (!isUsed(section)) section.innerHTML = html; // made by our own templates, which escape
}

/** Without a stream each part is asked for every few seconds. */
function askAgainAndAgain(section) {
  const refresh = async () => {
    if (!document.hidden && !isUsed(section)) {
      try {
        place(section, await part(section.dataset.refresh));
      } catch (error) {
        const message = document.createElement("p");
        message.className = "empty";
        message.textContent = error.message;
        section.replaceChildren(message);
      }
    }
    setTimeout(refresh, section.dataset.everyS * 1000);
  };
  refresh();
}

document.querySelectorAll("[data-refresh]:not([data-live])").forEach(askAgainAndAgain);
if (sections.length) {
  const parts = Object.fromEntries(sections.map((section) => [section.dataset.live, (html) => place(section, html)]));
  new Live(sections[0].dataset.from, parts, () => sections.forEach(askAgainAndAgain));
}

for (const choice of document.querySelectorAll("[data-submits]")) {
  choice.addEventListener("change", () => choice.form.requestSubmit());
}

addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea, dialog");
  const search = document.querySelector('[data-key="/"]');
  if (event.key === "/" && search && !isTyping) {
    event.preventDefault();
    search.focus();
  }
  const pressed = document.querySelector(`[data-press="${CSS.escape(event.key.toLowerCase())}"]`);
  if (pressed && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat) {
    event.preventDefault();
    pressed.click();
  }
});
