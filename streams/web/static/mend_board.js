// The photograph as a person marks it. Places are shares of its width and height, radii of its longer side.

const TINT = "rgba(214, 54, 92, 0.5)"; // over what the cutout leaves out
const COLOURS = { keep: "#1a9e63", remove: "#d6364c", line: "#2563c4" };
const LINE_SHARE_MIN = 0.05; // of the photograph's longer side: of a shorter line a pixel is a degree
const ZOOM_MAX = 16;
const POINTS_MAX = 5000;
const MARKS_MAX = 500;
const CROSS_PX = 9;

export class Board {
  /** `changed` hears of every mark; `picked` of the colour that a person takes from the photograph; `levelled` of the
   * degrees clockwise by which a line that was drawn is to be turned to be upright or level. */
  constructor(canvas, { changed, picked, levelled }) {
    this.canvas = canvas;
    this.changed = changed;
    this.picked = picked;
    this.levelled = levelled;
    this.marks = [];
    this.tool = "scribble";
    this.keep = true;
    this.radius = 0.006;
    this.at = { x: 0.5, y: 0.5, zoom: 1, isWhole: true };
    this.cross = null;
    this.drawn = null;
    this.listen();
  }

  /** Shows a photograph; resolves when it is decoded. */
  async open(address) {
    this.photograph = await loaded(address);
    this.draw();
  }

  /** Tints what a cutout leaves out; one of another shape lies elsewhere, and is not shown. */
  async leaveOut(address) {
    const cutout = await loaded(address);
    const { naturalWidth: width, naturalHeight: height } = this.photograph;
    if (Math.abs(width / height - cutout.naturalWidth / cutout.naturalHeight) > 0.01) return;
    const tint = new OffscreenCanvas(width, height);
    const paint = tint.getContext("2d");
    paint.fillStyle = TINT;
    paint.fillRect(0, 0, width, height);
    paint.globalCompositeOperation = "destination-out";
    paint.drawImage(cutout, 0, 0, width, height);
    this.tint = tint;
    this.draw();
  }

  back() {
    this.marks.pop();
    this.redraw();
  }

  clear() {
    this.marks = [];
    this.redraw();
  }

  redraw() {
    this.draw();
    this.changed();
  }

  get longer() {
    return Math.max(this.photograph.naturalWidth, this.photograph.naturalHeight);
  }

  get scale() {
    const { naturalWidth: width, naturalHeight: height } = this.photograph;
    const whole = Math.min(this.canvas.clientWidth / width, this.canvas.clientHeight / height);
    return (this.at.isWhole ? whole : 1) * this.at.zoom;
  }

  closer(times) {
    this.at.zoom = Math.min(ZOOM_MAX, Math.max(0.25, this.at.zoom * times));
    this.draw();
  }

  toggleWhole() {
    this.at = { ...this.at, isWhole: !this.at.isWhole, zoom: 1 };
    if (this.at.isWhole) Object.assign(this.at, { x: 0.5, y: 0.5 });
    this.draw();
  }

  /** Where a point of the canvas lies on the photograph. */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return this.shares(event.clientX - box.left, event.clientY - box.top);
  }

  shares(left, top) {
    const { naturalWidth: width, naturalHeight: height } = this.photograph;
    const x = this.at.x + (left - this.canvas.clientWidth / 2) / (width * this.scale);
    const y = this.at.y + (top - this.canvas.clientHeight / 2) / (height * this.scale);
    return [share(x), share(y)];
  }

  begin(event) {
    if (!this.photograph || event.button > 1) return;
    this.canvas.setPointerCapture(event.pointerId);
    if (this.tool === "hand" || event.button === 1) this.dragged = { x: event.clientX, y: event.clientY };
    else this.markAt(this.place(event));
  }

  /** Begins a mark at a place, or takes the colour there. */
  markAt(place) {
    if (this.tool === "pick") {
      this.picked(this.colourAt(place));
      return;
    }
    if (this.marks.length >= MARKS_MAX) return;
    this.drawn = { type: this.tool, keep: this.keep, from: place, ...this.shape(place) };
    if (this.tool === "click") this.end();
    this.draw();
  }

  shape([x, y]) {
    if (this.tool === "click") return { x, y };
    if (this.tool === "level") return { points: [[x, y], [x, y]] };
    if (this.tool === "box") return { left: x, top: y, right: x, bottom: y };
    return { points: [[x, y]], radius: this.radius };
  }

  go(event) {
    if (this.dragged) {
      const { naturalWidth: width, naturalHeight: height } = this.photograph;
      this.at.x = share(this.at.x - (event.clientX - this.dragged.x) / (width * this.scale));
      this.at.y = share(this.at.y - (event.clientY - this.dragged.y) / (height * this.scale));
      this.dragged = { x: event.clientX, y: event.clientY };
    } else if (this.drawn) {
      for (const each of event.getCoalescedEvents?.() ?? [event]) this.extend(this.place(each));
    } else return;
    this.draw();
  }

  extend([x, y]) {
    const mark = this.drawn;
    if (mark.type === "level") {
      mark.points[1] = [x, y];
      return;
    }
    if (mark.type === "box") {
      const [left, top] = mark.from;
      Object.assign(mark, { left: Math.min(left, x), right: Math.max(left, x), top: Math.min(top, y), bottom: Math.max(top, y) });
      return;
    }
    const [lastX, lastY] = mark.points.at(-1);
    const isNear = Math.hypot(x - lastX, y - lastY) < mark.radius / 4;
    if (!isNear && mark.points.length < POINTS_MAX) mark.points.push([x, y]);
  }

  end() {
    this.dragged = null;
    if (!this.drawn) return;
    const { from, ...mark } = this.drawn;
    this.drawn = null;
    if (mark.type === "level") {
      this.level(mark.points);
      return;
    }
    const isEmpty = mark.type === "box" && (mark.left >= mark.right || mark.top >= mark.bottom);
    if (!isEmpty) this.marks.push(mark);
    this.redraw();
  }

  /** Tells how a line is to be turned; one that is too short says nothing. */
  level([from, to]) {
    const { naturalWidth: width, naturalHeight: height } = this.photograph;
    const [across, down] = [(to[0] - from[0]) * width, (to[1] - from[1]) * height];
    this.draw();
    if (Math.hypot(across, down) < LINE_SHARE_MIN * this.longer) return;
    const degrees = Math.atan2(down, across) * 180 / Math.PI;
    this.levelled(90 * Math.round(degrees / 90) - degrees);
  }

  /** Moves the cross by shares of what is seen. */
  move(x, y) {
    const { naturalWidth: width, naturalHeight: height } = this.photograph;
    const [wide, high] = [this.canvas.clientWidth / (width * this.scale), this.canvas.clientHeight / (height * this.scale)];
    const [nowX, nowY] = this.cross ?? [this.at.x, this.at.y];
    this.cross = [share(nowX + x * Math.min(1, wide)), share(nowY + y * Math.min(1, high))];
    if (this.drawn) this.extend(this.cross);
    this.draw();
  }

  /** Marks where the cross is; of a box first one corner, then the other, and of a line its ends. */
  markThere() {
    this.cross ??= [this.at.x, this.at.y];
    if (this.drawn) this.end();
    else {
      this.markAt(this.cross);
      if (this.drawn && !["box", "level"].includes(this.drawn.type)) this.end();
    }
  }

  colourAt([x, y]) {
    const one = new OffscreenCanvas(1, 1).getContext("2d");
    const { naturalWidth: width, naturalHeight: height } = this.photograph;
    one.drawImage(this.photograph, -Math.min(width - 1, Math.floor(x * width)), -Math.min(height - 1, Math.floor(y * height)));
    const [red, green, blue] = one.getImageData(0, 0, 1, 1).data;
    return `#${[red, green, blue].map((each) => each.toString(16).padStart(2, "0")).join("")}`;
  }

  draw() {
    if (!this.photograph || !this.canvas.clientWidth) return;
    const density = devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * density);
    this.canvas.height = Math.round(this.canvas.clientHeight * density);
    const paint = this.canvas.getContext("2d");
    const { naturalWidth: width, naturalHeight: height } = this.photograph;
    const scale = this.scale * density;
    paint.setTransform(scale, 0, 0, scale, this.canvas.width / 2 - this.at.x * width * scale, this.canvas.height / 2 - this.at.y * height * scale);
    paint.imageSmoothingEnabled = scale < 3;
    paint.drawImage(this.photograph, 0, 0, width, height);
    if (this.tint) paint.drawImage(this.tint, 0, 0, width, height);
    for (const mark of [...this.marks, ...(this.drawn ? [this.drawn] : [])]) this.paint(paint, mark, width, height, scale);
    if (this.cross) this.paintCross(paint, width, height, scale);
  }

  paint(paint, mark, width, height, scale) {
    paint.strokeStyle = paint.fillStyle = COLOURS[mark.keep ? "keep" : "remove"];
    paint.globalAlpha = 0.7;
    if (mark.type === "box") {
      paint.lineWidth = 2 / scale;
      paint.setLineDash([8 / scale, 5 / scale]);
      paint.strokeRect(mark.left * width, mark.top * height, (mark.right - mark.left) * width, (mark.bottom - mark.top) * height);
      paint.setLineDash([]);
    } else if (mark.type === "level") {
      paint.strokeStyle = COLOURS.line;
      paint.lineWidth = 2 / scale;
      line(paint, mark.points.map(([x, y]) => [x * width, y * height]));
    } else if (mark.type === "click") {
      circle(paint, mark.x * width, mark.y * height, 7 / scale);
    } else {
      paint.lineCap = paint.lineJoin = "round";
      paint.lineWidth = 2 * mark.radius * this.longer;
      paint.globalAlpha = mark.type === "brush" ? 0.85 : 0.6;
      if (mark.type === "alike") paint.setLineDash([1 / scale, 2.4 * paint.lineWidth]);
      if (mark.points.length === 1) circle(paint, mark.points[0][0] * width, mark.points[0][1] * height, mark.radius * this.longer);
      else line(paint, mark.points.map(([x, y]) => [x * width, y * height]));
      paint.setLineDash([]);
    }
    paint.globalAlpha = 1;
  }

  paintCross(paint, width, height, scale) {
    const [x, y, arm] = [this.cross[0] * width, this.cross[1] * height, CROSS_PX / scale];
    for (const [colour, wide] of [["#ffffff", 4], ["#14171c", 2]]) {
      paint.strokeStyle = colour;
      paint.lineWidth = wide / scale;
      line(paint, [[x - arm, y], [x + arm, y]]);
      line(paint, [[x, y - arm], [x, y + arm]]);
    }
  }

  listen() {
    this.canvas.addEventListener("pointerdown", (event) => this.begin(event));
    this.canvas.addEventListener("pointermove", (event) => this.go(event));
    this.canvas.addEventListener("pointerup", () => this.end());
    this.canvas.addEventListener("pointercancel", () => this.end());
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.closer(event.deltaY < 0 ? 1.2 : 1 / 1.2);
    }, { passive: false });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }
}

async function loaded(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

function line(paint, points) {
  paint.beginPath();
  points.forEach(([x, y]) => paint.lineTo(x, y));
  paint.stroke();
}

function circle(paint, x, y, radius) {
  paint.beginPath();
  paint.arc(x, y, radius, 0, 2 * Math.PI);
  paint.fill();
}

function share(value) {
  return Math.min(1, Math.max(0, value));
}
