// The parser of AsyncAPI's own, with its Avro schemas: says what is wrong in a document, a line each, as severity, code,
// place and message; 0 is an error, 1 a warning. Argument: the document.
const { Parser } = require("@asyncapi/parser");
const { AvroSchemaParser } = require("@asyncapi/avro-schema-parser");
const { readFileSync } = require("node:fs");

const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
parser.parse(readFileSync(process.argv[2], "utf8")).then(({ document, diagnostics }) => {
  for (const each of diagnostics) console.log([each.severity, each.code, each.path.join("."), each.message].join("\t"));
  if (!document && !diagnostics.length) console.log("0\tno-document");
});
