// Tells Packshot of products that change, by Standard Webhooks. In vendure-config:
//   plugins: [PackshotPlugin.init({ url: "https://packshot.example/hooks/NAME", secret: "whsec_…" }), …]
// What it cannot deliver it drops: Packshot's sweep finds it.
const { createHmac, randomUUID } = require("node:crypto");
const { EventBus, PluginCommonModule, ProductEvent, ProductVariantEvent, VendurePlugin } = require("@vendure/core");

class PackshotPlugin {
  static init(options) {
    PackshotPlugin.options = options;
    return PackshotPlugin;
  }

  constructor(eventBus) {
    this.eventBus = eventBus;
  }

  onApplicationBootstrap() {
    this.eventBus.ofType(ProductEvent).subscribe((event) => tell(event.entity.id));
    this.eventBus.ofType(ProductVariantEvent).subscribe((event) => {
      new Set(event.entity.map((variant) => variant.productId)).forEach((id) => id && tell(id));
    });
  }
}

function tell(id) {
  const { url, secret } = PackshotPlugin.options;
  const message = `msg_${randomUUID()}`;
  const at = Math.floor(Date.now() / 1000).toString();
  const body = JSON.stringify({ type: "product.changed", timestamp: new Date().toISOString(), data: { id: String(id) } });
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const signature = createHmac("sha256", key).update(`${message}.${at}.${body}`).digest("base64");
  const headers = {
    "content-type": "application/json",
    "webhook-id": message,
    "webhook-timestamp": at,
    "webhook-signature": `v1,${signature}`,
  };
  // A moment later: the event comes before its transaction ends.
  setTimeout(() => fetch(url, { method: "POST", headers, body }).catch((error) => console.warn(String(error))), 500);
}

Reflect.defineMetadata("design:paramtypes", [EventBus], PackshotPlugin);
VendurePlugin({ imports: [PluginCommonModule], compatibility: ">=3.0.0" })(PackshotPlugin);

module.exports = { PackshotPlugin };
