"""How the commands show things: tables for people, JSON for programs."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from schemas import codec, topics
from schemas.channels import Channel
from schemas.envelope import as_mapping
from schemas.records import AssetPublished, AssetRetracted, Event, ProductPublished, Task, Verdict
from streams.consumer import letters as header
from streams.facts import Asset, Comparison, Database, Review, Spending, TaskFact
from streams.runtime.screen import console, errors, line, print_json, print_json_line, styled, table
from streams.services.audit.findings import KINDS, Report
from streams.services.checks import Finding
from streams.services.dead import DeadLetter
from streams.services.event_files import BadLine
from streams.services.rebuilding import Rebuilt
from streams.services.submission import Fate, Submitted

if TYPE_CHECKING:  # they bring the networks' libraries along
    from streams.services.brands import Row as BrandRow
    from streams.services.channels import Row as ChannelRow
    from streams.services.models import Built, Row, Verified
    from streams.services.preview_page import Entry
    from streams.services.recipes import Checked, ShownStep
    from streams.services.recipes import Row as RecipeRow

COLOUR = {
    "published": "green",
    "done": "green",
    "approved": "green",
    "pass": "green",
    "stable": "green",
    "recalled": "red",
    "review": "yellow",
    "pending": "yellow",
    "waiting": "yellow",
    "planned": "cyan",
    "publishing": "cyan",
    "failed": "red",
    "fail": "red",
    "rejected": "red",
    "superseded": "bright_black",
    "leaving": "bright_black",
    "not_run": "bright_black",
}
GOOD, WRONG = styled("✓", "green"), styled("✗", "red")


def coloured(state: str) -> Text:
    """A state in its colour."""
    return styled(state, COLOUR.get(state, "white"))


@contextlib.contextmanager
def progress(what: str, *, hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error; the block is given a function of (done, total)."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, disable=hidden) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def show_submission(
    submitted: Sequence[Submitted], fates: Sequence[Fate], bad: Sequence[BadLine], *, as_json: bool
) -> None:
    """What was sent, what became of it, and which lines held no event."""
    if as_json:
        print_json(
            {
                "submitted": [_submission_facts(each, fates[n] if fates else None) for n, each in enumerate(submitted)],
                "bad_lines": [{"line": b.line, "field": b.field, "message": b.message} for b in bad],
            }
        )
        return
    for wrong in bad:
        console.say(styled(f"line {wrong.line}", "red"), f": {wrong.field}{': ' if wrong.field else ''}{wrong.message}")
    if not fates:
        console.say(f"{len(submitted)} events sent")
        return
    shown = table("event", "state", "published", "review", "failed", "reason")
    for each, fate in zip(submitted, fates, strict=True):
        counts = [_count(fate.assets, state) for state in ("published", "review", "failed")]
        shown.add_row(each.subject, coloured(fate.state), *counts, fate.reason)
    console.show(shown)
    states = Counter(asset.state for fate in fates for asset in fate.assets)
    counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    console.say(f"{len(fates)} events, {states.total()} assets: {counted or 'none'}")
    for each, fate in zip(submitted, fates, strict=True):
        if fate.state == "waiting":
            still = ", ".join(fate.waits_for) or "for the streams role to read it"
            console.say(styled("waits", "yellow"), f"  {each.subject}: {still}")


def show_status(database: Database, tenant: str, sku: str, *, as_json: bool) -> None:
    """Where every asset of one product stands, and its tasks."""
    with database.read() as facts:
        product = facts.products.get(tenant, sku)
        assert product is not None
        assets = facts.assets.of(tenant, sku)
        tasks = facts.tasks.of(tenant, sku, product.version)
    if as_json:
        print_json(
            {
                "tenant": tenant,
                "sku": sku,
                "version": product.version,
                "deleted": product.deleted,
                "assets": [_asset_facts(asset) for asset in assets],
                "tasks": [_task_facts(each) for each in tasks],
            }
        )
        return
    gone = styled(" deleted", "red") if product.deleted else ""
    console.say(styled(sku, "bold"), f" ({tenant}) version {product.version}", gone, f"  {product.event.title}")
    shown = table("asset", "state", "live version", "why", "URL")
    for asset in assets:
        live = "" if asset.live is None else f"{asset.live.version}"
        url = "" if asset.live is None else asset.live.file.url
        shown.add_row(asset.asset, coloured(asset.state), live, asset.reason or _verdict_line(asset.verdict), url)
    console.show(shown)
    counted: dict[str, int] = {}
    for each in tasks:
        counted[f"{each.operation} {each.state}"] = counted.get(f"{each.operation} {each.state}", 0) + 1
    for why in sorted({task.demoted for task in map(_task_of, tasks) if task.demoted}):
        console.say(styled("demoted to bulk", "yellow"), f": {why}")
    console.say("tasks: " + (", ".join(f"{n} × {what}" for what, n in sorted(counted.items())) or "none"))


def show_published(event: Event, *, as_json: bool) -> None:
    """One event of the published topic."""
    if as_json:
        print_json_line(event)
        return
    match event:
        case AssetPublished():
            sizes = ", ".join(str(width) for width in sorted({each.width_px for each in event.renditions}))
            colour, text = "green", f"{event.asset}  {event.file.url}  ({sizes} px)"
        case ProductPublished():
            withheld = f", {len(event.withheld)} withheld" if event.withheld else ""
            colour, text = "bold", f" {len(event.assets)} assets{withheld}"
        case AssetRetracted():
            colour, text = "red", f"{event.asset}  {event.reason}"
        case _:
            console.say(type(event).__name__)
            return
    console.say(styled(f"{type(event).__name__:<16}", colour), f" {event.sku} v{event.version} {text}")


def show_reviews(reviews: Sequence[Review], *, as_json: bool) -> None:
    """Reviews with what the gates said."""
    if as_json:
        print_json([_review_facts(each) for each in reviews])
        return
    if not reviews:
        console.say("nothing waits for a decision")
        return
    shown = table("id", "product", "asset", "state", "why", "picture")
    for each in reviews:
        task = each.request.completed.task
        picture = each.request.completed.outputs[0].digest[:12]
        shown.add_row(
            each.review_id[:12],
            f"{task.sku} v{each.version}",
            each.asset,
            coloured(each.state),
            each.request.reason,
            picture,
        )
    console.show(shown)


def show_render(target: Path, verdict: Verdict | None, measures: dict[str, float], *, as_json: bool) -> None:
    """What `packshot render` wrote, and what the gates say of it."""
    if as_json:
        print_json({"file": str(target), "verdict": msgspec.to_builtins(verdict), "measures": measures})
        return
    console.say(styled(f"{target}", "bold"), " written")
    if verdict is None:
        shown = table("measure", "value")
        for name, value in sorted(measures.items()):
            shown.add_row(name, f"{value:.4g}")
        console.show(shown)
        return
    shown = table("check", "outcome", "measured", "limit", "rule")
    for check in verdict.checks:
        measured = "" if check.measured is None else f"{check.measured:.4g}"
        shown.add_row(f"{check.point}: {check.name}", coloured(check.outcome), measured, check.limit, check.rule)
    console.show(shown)


def show_letters(letters: Sequence[DeadLetter], *, as_json: bool, done: str = "") -> None:
    """Dead letters; `done` says what was just done about them."""
    if as_json:
        print_json([_letter_facts(each) for each in letters])
        return
    if not letters:
        console.say("no letter is meant" if done else "no letter is open")
        return
    shown = table("id", "state", "died", "came from", "product", "code", "why")
    for each in letters:
        died = _moment(each.failed_at_ms)
        origin = each.origin.removeprefix(topics.PREFIX)
        code, why = each.told(header.ERROR_CODE), each.told(header.ERROR_MESSAGE)
        shown.add_row(each.name, coloured(done or each.state), died, origin, "|".join(each.product), code, why)
    console.show(shown)


def show_letter(letter: DeadLetter, *, as_json: bool) -> None:
    """One dead letter: its story, the event that it holds, its headers."""
    if as_json:
        print_json(_letter_facts(letter) | _letter_content(letter))
        return
    show_letters([letter], as_json=False, done=letter.state)
    if letter.resolved is not None:
        reason = f": {letter.resolved.reason}" if letter.resolved.reason else ""
        console.say(f"{letter.state} by {letter.resolved.resolved_by or 'nobody named'}{reason}")
    tries = table("try", "at", "code", "why")
    for each in letter.record.history:
        at = datetime.fromtimestamp(each.at_ms / 1000, UTC).isoformat(" ", "milliseconds")
        tries.add_row(str(each.attempt + 1), at, each.code, each.message)
    console.show(tries)
    print_json(_letter_content(letter))


def show_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    """What `packshot check` found."""
    if as_json:
        print_json([{"name": each.name, "ok": each.ok, "text": each.text} for each in findings])
        return
    shown = table("", "what", "")
    for each in findings:
        shown.add_row(GOOD if each.ok else WRONG, each.name, each.text)
    console.show(shown)


def show_report(report: Report, *, as_json: bool) -> None:
    """What `packshot audit` counted and found."""
    if as_json:
        findings = [{"kind": each.kind, "name": each.name, "text": each.text} for each in report.findings]
        print_json({"clean": report.clean, "figures": report.figures, "findings": findings})
        return
    counted = table("counted", "")
    for name, count in report.counts.items():
        counted.add_row(name.replace("_", " "), str(count))
    console.show(counted)
    found = table("", "found", "", "")
    for kind, meaning in KINDS.items():
        count = report.figures[kind]
        found.add_row(WRONG if count else GOOD, kind.replace("_", " "), str(count), meaning)
    console.show(found)
    for each in report.findings:
        console.say(styled(each.kind.replace("_", " "), "red"), f"  {each.name}  {each.text}")


def show_replanned(products: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    """What `packshot replay` asked for."""
    if as_json:
        print_json([{"tenant": tenant, "sku": sku} for tenant, sku in products])
        return
    console.say(f"{len(products)} products are made again" if products else "no product is meant")


def show_rebuilt(tables: Sequence[Rebuilt], *, as_json: bool) -> None:
    """What `packshot rebuild-facts` made of each table."""
    if as_json:
        print_json([asdict(each) for each in tables])
        return
    shown = table("table", "rows before", "rows now", "differ")
    for each in tables:
        shown.add_row(each.table, str(each.before), str(each.after), str(each.changed or "·"))
    console.show(shown)


def show_models(rows: "Sequence[Row]", *, as_json: bool) -> None:
    """Every model, where it stands, and what became of its work."""
    if as_json:
        print_json([_model_facts(row) for row in rows])
        return
    shown = table("model", "precision", "licence", "stands", "live", "in review", "in the shadow", "graph")
    for row in rows:
        model = row.model
        counts = str(row.live), str(row.in_review)
        graph = "here" if row.is_here else styled("not fetched", "yellow")
        stands = coloured(row.stage) if row.stage else ""
        shown.add_row(
            model.ref,
            model.operation,
            model.precision,
            model.licence,
            stands,
            *counts,
            _compared(row.comparison),
            graph,
        )
    console.show(shown)


def show_recipes(rows: "Sequence[RecipeRow]", *, as_json: bool) -> None:
    """Every recipe and all defaults."""
    if as_json:
        print_json([_recipe_facts(row) for row in rows])
        return
    shown = table("name", "version", "", "operations", "released")
    for row in rows:
        told = "ships" if row.release is None else f"{_moment(row.release.released_at_ms)} {row.release.released_by}"
        operations = styled(row.wrong, "red") if row.wrong else ", ".join(row.operations)
        shown.add_row(row.name, str(row.version), row.kind, operations, told)
    console.show(shown)


def show_recipe(ref: str, steps: "Sequence[ShownStep]", *, as_json: bool) -> None:
    """A recipe's steps as they would be used."""
    if as_json:
        print_json({"recipe": ref, "steps": [_step_facts(step) for step in steps]})
        return
    console.say(styled(ref, "bold"))
    shown = table("step", "channel", "asset", "parameter", "value", "said by")
    for step in steps:
        place = "  " * step.depth + step.operation, step.channel, step.asset
        for number, (name, (value, origin)) in enumerate(step.parameters.items()):
            shown.add_row(*(place if number == 0 else ("", "", "")), name, value, origin)
        if not step.parameters:
            shown.add_row(*place, "", "", "")
    console.show(shown)


def show_brands(rows: "Sequence[BrandRow]", *, as_json: bool) -> None:
    """Every brand."""
    if as_json:
        print_json([_brand_facts(row) for row in rows])
        return
    shown = table("name", "pictures", "background", "shadow", "fill", "palette", "file")
    for row in rows:
        facts = _brand_facts(row)
        file = "ships" if row.ships else str(row.file)
        if row.brand is None:
            shown.add_row(row.name, "", "", "", "", styled(row.wrong, "red"), file)
            continue
        palette = line(*(styled("■", swatch["color"]) for swatch in facts["palette"]))
        told = (str(facts[name] or "·") for name in ("background", "shadow", "fill"))
        shown.add_row(row.name, str(facts["pictures"]), *told, palette, file)
    console.show(shown)


def show_brand(row: "BrandRow", *, as_json: bool) -> None:
    """A brand's colours, and the parameters of a packshot that is one of its own."""
    facts = _brand_facts(row)
    if as_json:
        print_json(facts)
        return
    ships = "ships" if row.ships else row.file
    console.say(styled(row.name, "bold"), f" of {facts['pictures']} pictures, {ships}")
    shown = table("", "", "share")
    for swatch in facts["palette"]:
        shown.add_row(styled("■■■", swatch["color"]), swatch["color"], f"{swatch['share']:.0%}")
    console.show(shown)
    for name, value in facts["parameters"].items():
        console.say(f"{name}  {value}")


def show_checked(told: "Sequence[Checked]", *, as_json: bool) -> None:
    """What is wrong with each file of recipes or rules, or what it holds."""
    if as_json:
        print_json([{"file": str(each.file), "ref": each.ref, "wrong": "\n".join(each.wrong)} for each in told])
        return
    for each in told:
        for wrong in each.wrong:
            errors.say(wrong)
        if not each.wrong:
            console.say(f"{each.file}: {each.ref} is good")


def show_released(
    ref: str, products: Sequence[tuple[str, str]], *, dry_run: bool, is_noted: bool, as_json: bool
) -> None:
    """What `packshot recipes release` did, or would do."""
    if as_json:
        print_json(_released_facts(ref, products, is_noted, dry_run))
        return
    for tenant, sku in products if dry_run else ():
        console.say(f"{tenant} {sku}")
    count = f"{len(products)} products {'would be' if dry_run else 'are'} made again"
    late = "" if dry_run or is_noted else "; it counts as soon as the streams role has read it"
    console.say(f"{ref}: {count}" if dry_run else f"{ref} is released, {count}{late}")


def _released_facts(ref: str, products: Sequence[tuple[str, str]], is_noted: bool, dry_run: bool) -> dict[str, object]:
    told = [{"tenant": tenant, "sku": sku} for tenant, sku in products]
    return {"released": ref, "dry_run": dry_run, "noted": is_noted, "products": told}


def show_channels(rows: "Sequence[ChannelRow]", *, as_json: bool) -> None:
    """Every channel's rules that count, and what waits to be released."""
    if as_json:
        print_json([_channel_facts(row) for row in rows])
        return
    shown = table("channel", "version", "canvas", "background", "formats", "released", "waits")
    for row in rows:
        told = "ships" if row.release is None else f"{_moment(row.release.released_at_ms)} {row.release.released_by}"
        rules = row.rules
        canvas = "" if rules is None else f"{rules.canvas.width_px}x{rules.canvas.height_px}"
        background = styled(row.wrong, "red") if rules is None else rules.background or "transparent"
        formats = "" if rules is None else ", ".join(rules.formats)
        shown.add_row(row.name, row.version, canvas, background, formats, told if row.version else "", row.waits)
    console.show(shown)
    if any(row.waits for row in rows):
        console.say("what waits counts for nobody yet: `packshot channels release` lets it")


def show_channel(rules: Channel, *, as_json: bool) -> None:
    """The rules of a channel."""
    told = msgspec.to_builtins(rules)
    if as_json:
        print_json(told)
        return
    console.say(styled(rules.rule_version, "bold"))
    shown = table("rule", "value")
    for name, value in told.items():
        if name not in ("name", "version"):
            shown.add_row(name, _rule(value))
    console.show(shown)


def _rule(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each:g}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def show_channels_released(
    told: Sequence[tuple[str, Sequence[tuple[str, str]], bool]], *, dry_run: bool, as_json: bool
) -> None:
    """What `packshot channels release` did, or would do, with each file."""
    if as_json:
        print_json([_released_facts(*each, dry_run) for each in told])
        return
    for ref, products, is_noted in told:
        show_released(ref, products, dry_run=dry_run, is_noted=is_noted, as_json=False)
    if not told:
        console.say("every file of the folder counts already")


def _channel_facts(row: "ChannelRow") -> dict[str, object]:
    by, at_ms = ("", 0) if row.release is None else (row.release.released_by, row.release.released_at_ms)
    told = {"channel": row.name, "version": row.version, "wrong": row.wrong, "waits": row.waits}
    return {**told, "ships": row.release is None, "released_by": by, "released_at_ms": at_ms}


def show_preview(target: Path, entries: "Sequence[Entry]", *, as_json: bool) -> None:
    """Which page was written, and what is on it."""
    if as_json:
        pictures = [(entry.product.sku, picture) for entry in entries for picture in entry.pictures]
        facts = [{"sku": sku, "asset": one.asset, "outcome": one.outcome, "why": one.why} for sku, one in pictures]
        print_json({"page": str(target), "pictures": facts})
        return
    outcomes: dict[str, int] = {}
    for entry in entries:
        for picture in entry.pictures:
            outcomes[picture.outcome] = outcomes.get(picture.outcome, 0) + 1
    told = [line(f", {count} ", coloured("not made" if name == "none" else name)) for name, count in outcomes.items()]
    console.say(styled(f"{target}", "bold"), " written", *told)


def show_verified(found: "Sequence[Verified]", *, as_json: bool) -> None:
    """What was checked, and what is wrong."""
    if as_json:
        print_json([asdict(each) for each in found])
        return
    shown = table("model", "engine", "")
    for each in found:
        shown.add_row(each.ref, each.engine, styled(each.error, "red") if each.error else styled("good", "green"))
    console.show(shown)


def show_built(built: "Built", *, as_json: bool) -> None:
    """A model that is ready."""
    if as_json:
        print_json(asdict(built))
        return
    ready = f" on {built.engine}, ready in {built.took_s:.1f} s ({built.fingerprint[:16]})"
    console.say(styled(built.ref, "bold"), ready)
    told = ", ".join(f"{size}: {latency_ms:.0f} ms" for size, latency_ms in built.latency_ms.items())
    console.say(f"a batch of {told}")


def show_costs(
    groups: Sequence[Spending], total: Sequence[Spending], by: Sequence[str], currency: str, *, as_json: bool
) -> None:
    """What accepted images cost, by groups and in all; `total` is empty where no work has ended yet."""
    if as_json:
        all_told = _spending_facts(total[0]) if total else None
        print_json({"currency": currency, "groups": [_spending_facts(each) for each in groups], "total": all_told})
        return
    if not total:
        console.say("no work has ended that costs were measured of")
        return
    shown = table("/".join(by), "images", "an image", "in all", "wasted", "saved")
    for column in shown.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for each in [*groups, *total]:
        amounts = each.per_image_nanos, each.total_nanos, each.wasted_nanos, each.saved_price_nanos
        name = "/".join(each.group.values()) or styled("all", "bold")
        shown.add_row(name, str(each.images), *map(_money, amounts))
    console.say(f"prices in {currency}")
    console.show(shown)


def _compared(comparison: Comparison | None) -> Text | str:
    if comparison is None:
        return ""
    failed = styled(f", {comparison.failed} failed", "red") if comparison.failed else ""
    least = f"{comparison.agreement_min:.3f} at least"
    return line(f"{comparison.count} pictures: IoU {comparison.agreement_mean:.3f}, {least}", failed)


def _model_facts(row: "Row") -> dict[str, Any]:
    model = msgspec.to_builtins(row.model)
    told = {"stage": row.stage, "is_here": row.is_here, "live": row.live, "in_review": row.in_review}
    return {
        "ref": row.model.ref,
        **told,
        "shadow": asdict(row.comparison) if row.comparison else None,
        "manifest": model,
    }


def _recipe_facts(row: "RecipeRow") -> dict[str, Any]:
    facts = {"name": row.name, "kind": row.kind, "version": row.version, "operations": row.operations}
    return {**facts, "wrong": row.wrong, "release": msgspec.to_builtins(row.release)}


def _brand_facts(row: "BrandRow") -> dict[str, Any]:
    facts: dict[str, Any] = {"name": row.name, "file": str(row.file), "ships": row.ships, "wrong": row.wrong}
    if row.brand is None:
        return facts
    brand = row.brand
    return {
        **facts,
        "pictures": brand.learned_from.count,
        "palette": [{"color": swatch.color, "share": swatch.share} for swatch in brand.palette],
        "background": brand.background,
        "shadow": None if brand.shadow is None else brand.shadow.mode,
        "fill": brand.fill,
        "lut": brand.lut,
        "parameters": row.parameters,
    }


def _step_facts(step: "ShownStep") -> dict[str, Any]:
    parameters = {name: {"value": value, "said_by": origin} for name, (value, origin) in step.parameters.items()}
    return {**asdict(step), "parameters": parameters}


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(" ", "seconds").removesuffix("+00:00")


def _money(nanos: float | None) -> str:
    return f"{nanos / 1e9:,.6f}" if nanos else "·"


def _spending_facts(each: Spending) -> dict[str, Any]:
    sums = {"total_nanos": each.total_nanos, "wasted_nanos": each.wasted_nanos, "per_image_nanos": each.per_image_nanos}
    return asdict(each) | sums


def _count(assets: Sequence[Asset], state: str) -> Text | str:
    number = sum(asset.state == state for asset in assets)
    return styled(str(number), COLOUR[state]) if number else "·"


def _verdict_line(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    ran = [check for check in verdict.checks if check.outcome != "not_run"]
    return f"{sum(check.outcome == 'pass' for check in ran)} of {len(ran)} checks passed"


def _submission_facts(each: Submitted, fate: Fate | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"event_id": each.event_id, "subject": each.subject}
    if fate is not None:
        facts |= {"state": fate.state, "reason": fate.reason, "assets": [_asset_facts(asset) for asset in fate.assets]}
    return facts


def _asset_facts(asset: Asset) -> dict[str, Any]:
    return {
        "sku": asset.sku,
        "asset": asset.asset,
        "version": asset.version,
        "state": asset.state,
        "reason": asset.reason,
        "verdict": msgspec.to_builtins(asset.verdict),
        "live": msgspec.to_builtins(asset.live),
    }


def _task_of(fact: TaskFact) -> Task:
    return fact.record if isinstance(fact.record, Task) else fact.record.task


def _task_facts(fact: TaskFact) -> dict[str, Any]:
    task = _task_of(fact)
    told = {"operation": fact.operation, "state": fact.state, "task_id": fact.task_id}
    return told | {"lane": task.lane, "demoted": task.demoted}


def _review_facts(review: Review) -> dict[str, Any]:
    task = review.request.completed.task
    return {
        "review_id": review.review_id,
        "tenant": task.tenant,
        "sku": task.sku,
        "version": review.version,
        "asset": review.asset,
        "state": review.state,
        "reason": review.request.reason,
        "verdict": msgspec.to_builtins(review.request.verdict),
        "picture": review.request.completed.outputs[0].digest,
    }


def _letter_facts(letter: DeadLetter) -> dict[str, Any]:
    tenant, sku = letter.product
    told = {name: letter.told(f"packshot-error-{name}") for name in ("kind", "code", "field", "message")}
    return {
        "id": letter.name,
        "state": letter.state,
        "event_id": letter.record.event_id,
        "tenant": tenant,
        "sku": sku,
        "origin": letter.origin,
        "origin_position": letter.origin_position,
        "failed_at_ms": letter.failed_at_ms,
        **told,
        "resolved": msgspec.to_builtins(letter.resolved),
    }


def _letter_content(letter: DeadLetter) -> dict[str, Any]:
    try:
        event = msgspec.to_builtins(codec.decode(letter.record.value))
    except codec.WireError as error:
        event = {"unreadable": str(error), "bytes": letter.record.value.hex()}
    return {
        "event": event,
        "history": msgspec.to_builtins(letter.record.history),
        "headers": as_mapping(letter.record.headers),
    }
