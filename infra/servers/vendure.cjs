// A Vendure shop on loopback for tests: SQLite in memory (sql.js), assets in a folder, Packshot's plugin.
// argv: port, folder, hook URL or "-", secret or "-", the plugin's file
// NODE_PATH says where the packages are.
const path = require("node:path");
const { bootstrap, DefaultLogger, LanguageCode, LogLevel } = require("@vendure/core");
const { AssetServerPlugin } = require("@vendure/asset-server-plugin");
const [port, folder, hook, secret, plugin] = process.argv.slice(2);

const plugins = [
  AssetServerPlugin.init({
    route: "assets", assetUploadDir: path.join(folder, "assets"), assetUrlPrefix: `http://127.0.0.1:${port}/assets/`,
  }),
];
if (hook !== "-") plugins.push(require(plugin).PackshotPlugin.init({ url: hook, secret }));

bootstrap({
  apiOptions: { hostname: "127.0.0.1", port: Number(port), adminApiPath: "admin-api", shopApiPath: "shop-api" },
  authOptions: { tokenMethod: ["bearer"], superadminCredentials: { identifier: "superadmin", password: "superadmin" } },
  dbConnectionOptions: { type: "sqljs", autoSave: false, synchronize: true, logging: false },
  paymentOptions: { paymentMethodHandlers: [] },
  importExportOptions: { importAssetsDir: folder },
  logger: new DefaultLogger({ level: LogLevel.Warn }),
  defaultLanguageCode: LanguageCode.en,
  plugins,
}).then(
  () => console.log("READY"),
  (error) => { console.error(error); process.exit(1); },
);
