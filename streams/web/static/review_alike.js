// Cases that are in doubt for the same: side by side, chosen, and decided together.
import { ask } from "./talking.js";

const at = (id) => document.getElementById(id);

export class Alike {
  /** `picture` gives the address of a case's small picture; `decided` hears which cases were sent, and what was refused. */
  constructor(address, { picture, decided }) {
    this.address = address;
    this.picture = picture;
    this.decided = decided;
    at("group").addEventListener("close", () => this.close());
  }

  /** Shows a case and those that are like it; false where there are none. */
  async open(summary) {
    const found = await ask(`${this.address}/alike?case=${summary.case_id}`);
    if (!found.length) return false;
    this.found = [summary, ...found];
    at("group-cases").replaceChildren(...this.found.map((each) => this.item(each, summary)));
    at("group").returnValue = "";
    at("group-why").value = "";
    at("group").showModal();
    return true;
  }

  item(each, current) {
    const isOthers = Boolean(each.claimed_by) && each.claimed_by !== current.claimed_by;
    const box = Object.assign(document.createElement("input"), { type: "checkbox", value: each.case_id, checked: !isOthers, disabled: isOthers });
    const image = Object.assign(new Image(), { src: this.picture(each), alt: "", width: 150, height: 120 });
    const name = Object.assign(document.createElement("b"), { textContent: each.title || each.sku });
    const why = Object.assign(document.createElement("span"), { className: "soft small", textContent: isOthers ? `${each.claimed_by} has it` : `${each.why} · ${each.waiting} waiting` });
    const label = document.createElement("label");
    label.append(image, box, name, why);
    const item = document.createElement("li");
    item.append(label);
    return item;
  }

  async close() {
    const outcome = at("group").returnValue;
    if (outcome !== "approve" && outcome !== "reject") return;
    const chosen = [...at("group-cases").querySelectorAll("input:checked")].map((each) => each.value);
    if (!chosen.length) return;
    const reason = outcome === "reject" ? at("group-why").value.trim() || "as others that are alike" : "";
    const answers = await ask(`${this.address}/decide-alike`, { cases: chosen, decision: { outcome, reason } });
    const sent = answers.filter((each) => !each.refused).map((each) => each.case_id);
    this.decided(this.found.filter((each) => sent.includes(each.case_id)), answers.filter((each) => each.refused));
  }
}
