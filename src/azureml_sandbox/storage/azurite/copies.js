// Refuses synchronous copies that Azure Storage refuses and Azurite 3.37 accepts: those of sources above 256 MiB (in the
// service's own words, azure-sdk-for-go issue 19880), and those of sources whose bytes have another MD5 than
// x-ms-source-content-md5 says.
const { createHash } = require("node:crypto");
const path = require("node:path");

const MOST_BYTES = 256 * 1024 * 1024;
const TOO_LARGE =
  "The source request body for synchronous copy is too large and exceeds the maximum permissible limit (256MB).";

module.exports = (modules) => {
  const part = (name) => require(path.join(modules, "azurite/dist/src/blob", name)).default;
  const handlers = part("handlers/BlobHandler.js").prototype;
  const store = part("persistence/LokiBlobMetadataStore.js").prototype;
  const StorageError = part("errors/StorageError.js");
  const errors = part("errors/StorageErrorFactory.js");
  let extents;

  const { copyFromURL: handled } = handlers;
  handlers.copyFromURL = function (...given) {
    extents = this.extentStore;
    return handled.apply(this, given);
  };

  // Called once the source may be read.
  const { copyFromURL: copied } = store;
  store.copyFromURL = async function (context, source, ...given) {
    const options = given[given.length - 1];
    const blob = await this.downloadBlob(context, source.account, source.container, source.blob, source.snapshot);
    if (blob.properties.contentLength > MOST_BYTES)
      throw new StorageError(409, "CannotVerifyCopySource", TOO_LARGE, context.contextId);
    if (options.sourceContentMD5 !== undefined) {
      const said = Buffer.from(options.sourceContentMD5).toString("base64");
      const found = await digest(blob, context);
      if (said !== found) throw errors.getMd5Mismatch(context.contextId, said, found);
    }
    return copied.call(this, context, source, ...given);
  };

  async function digest(blob, context) {
    const hash = createHash("md5");
    for await (const bytes of await content(blob, context)) hash.update(bytes);
    return hash.digest("base64");
  }

  async function content(blob, { contextId }) {
    const size = blob.properties.contentLength;
    if (size === 0) return [];
    const blocks = blob.committedBlocksInOrder ?? [];
    return blocks.length
      ? extents.readExtents(blocks.map((block) => block.persistency), 0, size, contextId)
      : extents.readExtent(blob.persistency, contextId);
  }
};
