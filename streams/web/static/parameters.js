// A field for a parameter of an operation, in the words that the operation has for it.

const TOLD = { "": "as it is", true: "yes", false: "no" };
let count = 0;

/** `kind` is the parameter's type, `said` its words; `value` is as it is now. `changed` hears of every change. */
export function field(name, kind, said, value, changed = () => {}) {
  const values = kind === "boolean" ? ["true", "false"] : kind.includes("|") ? kind.split(" | ") : null;
  const input = values ? choice(values, value) : Object.assign(document.createElement("input"), { value });
  const hint = Object.assign(document.createElement("span"), { className: "soft small", id: `hint-${(count += 1)}`, textContent: hinted(said) });
  input.name = name;
  if (kind === "number" || kind === "integer") input.inputMode = "decimal";
  input.setAttribute("aria-describedby", hint.id);
  input.addEventListener(values ? "change" : "input", changed);
  const label = document.createElement("label");
  label.append(said.title || name, input, hint);
  return label;
}

function choice(values, value) {
  const made = document.createElement("select");
  made.append(...["", ...values].map((each) => new Option(TOLD[each] ?? each, each, false, each === value)));
  return made;
}

/** What it does, its unit and its bounds. */
function hinted(said) {
  const bounds = said.least === null && said.most === null ? "" : `${said.least ?? "…"} – ${said.most ?? "…"}`;
  return [said.hint, [said.unit, bounds].filter(Boolean).join(", ")].filter(Boolean).join(" · ");
}
