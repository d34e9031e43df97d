// A field for a parameter of an operation, in the words that the operation has for it.

const LABELS = { "": "as it is", true: "yes", false: "no" };
let count = 0;

/** `kind` is the parameter's type, `words` its name, hint, unit and bounds; `value` is as it is now. `changed` hears of every change. */
export function field(name, kind, words, value, changed = () => {}) {
  const values = kind === "boolean" ? ["true", "false"] : kind.includes("|") ? kind.split(" | ") : null;
  const input = values ? choice(values, value) : Object.assign(document.createElement("input"), { value });
  const hint = Object.assign(document.createElement("span"), { className: "soft small", id: `hint-${(count += 1)}`, textContent: hintOf(words) });
  input.name = name;
  if (kind === "number" || kind === "integer") input.inputMode = "decimal";
  input.setAttribute("aria-describedby", hint.id);
  input.addEventListener(values ? "change" : "input", changed);
  const label = document.createElement("label");
  label.append(words.title || name, input, hint);
  return label;
}

function choice(values, value) {
  const made = document.createElement("select");
  made.append(...["", ...values].map((each) => new Option(LABELS[each] ?? each, each, false, each === value)));
  return made;
}

/** What it does, its unit and its bounds. */
function hintOf(words) {
  const bounds = words.least === null && words.most === null ? "" : `${words.least ?? "…"} – ${words.most ?? "…"}`;
  return [words.hint, [words.unit, bounds].filter(Boolean).join(", ")].filter(Boolean).join(" · ");
}
