// Runs Azurite's blob service as the sandbox needs it: node start.js AZURITE_DIR [Azurite's own options]
const path = require("node:path");

const [azurite] = process.argv.splice(2, 1);
const modules = path.join(azurite, "node_modules");

// The server's proxy ends TLS, and Azurite gets plain HTTP. Clients did come by https, so Azurite is told so: it then
// accepts what Azure accepts over https: SAS with spr=https, bearer tokens, user delegation keys.
Object.defineProperty(require(path.join(modules, "express")).request, "protocol", { get: () => "https" });

// User delegation keys derive from this; Azurite's own seed is the same for everybody.
require(path.join(modules, "azurite/dist/src/blob/utils/constants.js")).USERDELEGATIONKEY_SIGNING_SEED =
  process.env.SANDBOX_DELEGATION_SEED;

require("./copies.js")(modules);

// The server holds the other end of stdin, which closes however the server ends. Azurite then writes its metadata and
// ends.
process.stdin.on("end", () => process.emit("SIGTERM")).resume();

require(path.join(modules, "azurite/dist/src/blob/main.js"));
