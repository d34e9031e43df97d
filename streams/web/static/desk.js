// What every page does: parts that are fetched anew, choices that send their form, and the key that leads to the search.
import { part } from "./talking.js";

for (const section of document.querySelectorAll("[data-refresh]")) {
  const refresh = async () => {
    const isUsed = section.contains(document.activeElement) && document.activeElement !== section;
    if (!document.hidden && !isUsed) {
      try {
        section.innerHTML = await part(section.dataset.refresh); // made by our own templates, which escape
      } catch (error) {
        const message = document.createElement("p");
        message.className = "empty";
        message.textContent = error.message;
        section.replaceChildren(message);
      }
    }
    setTimeout(refresh, section.dataset.everyS * 1000);
  };
  if ("now" in section.dataset) refresh();
  else setTimeout(refresh, section.dataset.everyS * 1000);
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
