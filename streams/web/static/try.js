// Try it: a photograph is sent as it is, and what comes back is shown with every check.
import { send } from "./talking.js";

const at = (id) => document.getElementById(id);
const order = at("order");
let photograph = null;
let shown = [];

function take(file) {
  photograph = file;
  const before = at("before");
  URL.revokeObjectURL(before.src);
  before.src = URL.createObjectURL(file);
  before.hidden = false;
  at("drop-told").textContent = file.name;
  at("make").disabled = false;
}

at("file").addEventListener("change", (event) => event.target.files[0] && take(event.target.files[0]));
for (const kind of ["dragenter", "dragover"]) {
  at("drop").addEventListener(kind, (event) => { event.preventDefault(); at("drop").classList.add("over"); });
}
for (const kind of ["dragleave", "drop"]) {
  at("drop").addEventListener(kind, (event) => { event.preventDefault(); at("drop").classList.remove("over"); });
}
at("drop").addEventListener("drop", (event) => event.dataTransfer.files[0] && take(event.dataTransfer.files[0]));

for (const sample of document.querySelectorAll("[data-sample]")) {
  sample.addEventListener("click", async () => {
    for (const each of document.querySelectorAll("[data-sample]")) each.setAttribute("aria-pressed", each === sample);
    const address = sample.querySelector("img").src.replace("size=96", "size=0");
    const blob = await (await fetch(address)).blob();
    take(new File([blob], sample.dataset.sample, { type: blob.type }));
  });
}

order.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(order);
  form.append("photograph", photograph, photograph.name);
  at("make").disabled = true;
  tell("It is being made …");
  const began = performance.now();
  try {
    show(await send(at("try").dataset.render, form), (performance.now() - began) / 1000);
  } catch (error) {
    tell(error.message);
  }
  at("make").disabled = false;
});

function tell(text) {
  at("waiting").textContent = text;
  at("waiting").hidden = false;
  at("made").hidden = true;
}

function show(made, seconds) {
  for (const each of shown) URL.revokeObjectURL(each);
  const bytes = Uint8Array.from(atob(made.file), (letter) => letter.charCodeAt(0));
  const address = URL.createObjectURL(new Blob([bytes], { type: made.media_type }));
  shown = [address];
  at("after").src = address;
  at("download").href = address;
  at("download").setAttribute("download", made.name);
  const { operation, channel } = Object.fromEntries(new FormData(order));
  if (at("keep")) keep(operation, channel);
  const words = { pass: "passes all that was measured", review: "a person would look", fail: "does not pass" };
  at("verdict").className = `chip ${made.outcome ?? ""}`;
  at("verdict").textContent = words[made.outcome] ?? "made";
  at("told").textContent = `${made.width_px} × ${made.height_px} px, ${(bytes.length / 1000).toFixed(0)} kB, in ${seconds.toFixed(1)} s`;
  at("checks").replaceChildren(...made.checks.map(row));
  at("waiting").hidden = true;
  at("made").hidden = false;
}

// What was tried becomes a recipe, or the next version of the one that it was made by.
function keep(operation, channel) {
  const recipe = operation.startsWith("recipe:") ? operation.slice("recipe:".length) : null;
  const asked = recipe ? { name: recipe } : { operation, channel };
  at("keep").href = `${at("keep").dataset.at}?${new URLSearchParams(asked)}`;
  at("keep").textContent = recipe ? "Change this recipe" : "Make a recipe of it";
  at("keep").hidden = operation === "cutout" || operation === "upscale"; // which no channel gets by itself
}

function row(check) {
  const line = document.createElement("tr");
  line.className = check.outcome;
  for (const text of [`${check.subject}`, check.measured, check.limit, check.rule]) {
    const cell = document.createElement("td");
    cell.textContent = text;
    line.append(cell);
  }
  const dot = document.createElement("span");
  dot.className = `dot ${check.outcome}`;
  line.firstChild.prepend(dot);
  const unseen = document.createElement("span");
  unseen.className = "unseen";
  unseen.textContent = `: ${check.outcome}`;
  line.firstChild.append(unseen);
  return line;
}
