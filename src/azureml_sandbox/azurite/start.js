// Runs Azurite's blob service as the sandbox needs it: node start.js AZURITE_DIR [Azurite's own options]
const net = require("node:net");
const path = require("node:path");

// The front has ended TLS, and Azurite hears the plain half. Said here that the leg is encrypted, it accepts what Azure
// accepts over https: SAS with spr=https, bearer tokens, user delegation keys. A TLS socket sets its own value over this.
Object.defineProperty(net.Socket.prototype, "encrypted", { value: true, writable: true, configurable: true });

// The server holds the other end of stdin: gone with it, however it ends. Azurite then writes its metadata and leaves.
process.stdin.on("end", () => process.emit("SIGTERM")).resume();

const [azurite] = process.argv.splice(2, 1);
require(path.join(azurite, "node_modules/azurite/dist/src/blob/main.js"));
