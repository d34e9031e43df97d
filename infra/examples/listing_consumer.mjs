// A listing service in plain Node, told what goes live and away: API=https://… KEY=psk_… node listing_consumer.mjs
const { API, KEY } = process.env;
async function ask(path, more = {}) {
  const answer = await fetch(API + path, { headers: { Authorization: `Bearer ${KEY}`, ...more } });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

async function showLive() {
  for (let cursor = ""; cursor !== null; ) {
    const page = await (await ask(`/v1/assets?state=published&limit=500${cursor && "&cursor="}${cursor}`)).json();
    for (const each of page.items) console.log("live", each.sku, each.asset, each.url);
    cursor = page.next;
  }
}

for (let last = "none", event = {}; ; await new Promise((again) => setTimeout(again, 1000))) {
  try {
    let rest = ""; // behind an event that nobody knows the first is `reset`; later it goes on where the connection ended
    for await (const bytes of (await ask("/v1/events", { "Last-Event-ID": last })).body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + bytes).split(/\r?\n/);
      rest = lines.pop();
      for (const line of lines) {
        const [, name, value] = line.match(/^(\w+): ?(.*)$/) ?? [];
        if (name) event[name] = value;
        if (line) continue;
        const news = JSON.parse(event.data ?? "{}");
        if (event.event === "reset") await showLive(); // too much was missed, or all of it
        if (event.event === "AssetPublished") console.log("live", news.sku, news.asset, news.detail);
        if (event.event === "AssetRetracted") console.log("gone", news.sku, news.asset, news.detail);
        [last, event] = [event.id ?? last, {}];
      }
    }
  } catch (error) {
    console.log("waiting:", error.message);
  }
}
