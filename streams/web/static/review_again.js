// A case's picture is to be made again, otherwise: what comes of it is seen first, and only what was seen is sent.
import { field } from "./parameters.js";
import { ask } from "./talking.js";

const at = (id) => document.getElementById(id);
const CUTOUT = "cutout";
const WORDS = { pass: "passes all that was measured", review: "a person would look", fail: "does not pass" };

export class Again {
  /** `made` hears of the decision; the pictures are made by the address `mend`. */
  constructor(mend, made) {
    this.mend = mend;
    this.made = made;
    this.seen = null;
    this.address = "";
    at("step").addEventListener("change", () => this.fill());
    at("parameters").addEventListener("input", () => this.changed());
    at("again-see").addEventListener("click", () => this.see());
    at("again").addEventListener("close", () => this.closed());
  }

  /** Asks how a case is to be made again; `review` is the picture that is looked at. */
  open(view, review) {
    this.view = view;
    this.review = review;
    at("step").replaceChildren(...view.steps.map((step) => new Option(step.operation)));
    this.fill();
    at("again-why").value = "";
    at("again").returnValue = "";
    at("again").showModal();
  }

  get step() {
    return this.view.steps.find((each) => each.operation === at("step").value);
  }

  /** A field for each parameter; strokes are made on the page on which a case is mended. */
  fill() {
    const taken = Object.entries(this.step.takes).filter(([name]) => name !== "retouch");
    at("parameters").replaceChildren(...taken.map(([name, kind]) => field(name, kind, this.step.words[name], this.step.parameters[name] ?? "")));
    this.changed();
  }

  changed() {
    this.seen = null;
    at("again-say").disabled = true;
    at("again-seen").hidden = true;
    this.tell("");
  }

  /** The decision as it stands: a cutout's parameters as a whole, of another step those that are not as they were. */
  get decision() {
    const fields = [...at("parameters").querySelectorAll("[name]")].map((each) => [each.name, each.value.trim()]);
    const isCutout = this.step.operation === CUTOUT;
    const given = fields.filter(([name, value]) => (isCutout ? value : value !== (this.step.parameters[name] ?? "")));
    return { step: this.step.operation, parameters: Object.fromEntries(given) };
  }

  async see() {
    const wanted = this.decision;
    at("again-see").disabled = true;
    this.tell("It is being made …");
    try {
      const made = await ask(`${this.mend}/preview`, { case: this.view.summary.case_id, review: this.review, ...wanted });
      this.show(made);
      this.seen = wanted;
      at("again-say").disabled = false;
    } catch (error) {
      this.tell(error.message);
    }
    at("again-see").disabled = false;
  }

  show(made) {
    const picture = made.asset ?? made.cutout;
    URL.revokeObjectURL(this.address);
    this.address = picture ? addressOf(picture) : "";
    this.tell(picture ? "" : "It is made of more than a cutout, and cannot be seen here.");
    at("again-seen").hidden = !picture;
    if (picture) at("again-picture").src = this.address;
    at("again-verdict").className = `chip ${made.outcome ?? ""}`;
    at("again-verdict").textContent = WORDS[made.outcome] ?? "made";
    const missed = made.checks.filter((check) => check.outcome !== "pass" && check.measured !== "–");
    at("again-checks").replaceChildren(...missed.map((check) => Object.assign(document.createElement("li"), { textContent: `${check.subject}: ${check.measured}, limit ${check.limit}` })));
  }

  tell(words) {
    at("again-told").textContent = words;
    at("again-told").hidden = !words;
  }

  closed() {
    if (at("again").returnValue === "say" && this.seen) this.made({ ...this.seen, reason: at("again-why").value.trim() });
  }
}

function addressOf(picture) {
  const bytes = Uint8Array.from(atob(picture.file), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: picture.media_type }));
}
