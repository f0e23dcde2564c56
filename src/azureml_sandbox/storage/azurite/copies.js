// Refuses what Azure Storage refuses and Azurite 3.37 accepts: synchronous copies of append and page blobs ("Copy Blob
// From URL": the source must be a block blob; the service's own words, azure-sdk-for-go issue 20942), those of sources
// above 256 MiB (its words, issue 19880), those of sources whose bytes have another MD5 than x-ms-source-content-md5
// says, and whatever would change the type of a blob that is there ("Copy Blob"; azurestorage for VS Code issue 865).
const { createHash } = require("node:crypto");
const path = require("node:path");

const MOST_BYTES = 256 * 1024 * 1024;
const NO_BLOCK_BLOB = "The copy source must be a block blob.";
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
    if (blob.properties.blobType !== "BlockBlob")
      throw new StorageError(409, "CannotVerifyCopySource", NO_BLOCK_BLOB, context.contextId);
    if (blob.properties.contentLength > MOST_BYTES)
      throw new StorageError(409, "CannotVerifyCopySource", TOO_LARGE, context.contextId);
    if (options.sourceContentMD5 !== undefined) {
      const said = Buffer.from(options.sourceContentMD5).toString("base64");
      const found = await digest(blob, context);
      if (said !== found) throw errors.getMd5Mismatch(context.contextId, said, found);
    }
    keepType(this, context, given[0], "BlockBlob");
    return copied.call(this, context, source, ...given);
  };

  const { startCopyFromURL: started, createBlob: created } = store;
  store.startCopyFromURL = async function (context, source, destination, ...given) {
    const blob = await this.downloadBlob(context, source.account, source.container, source.blob, source.snapshot);
    keepType(this, context, destination, blob.properties.blobType);
    return started.call(this, context, source, destination, ...given);
  };

  store.createBlob = async function (context, blob, lease, conditions) {
    const { accountName: account, containerName: container, name } = blob;
    if (conditions?.ifNoneMatch !== "*") // else it is refused as one that is there
      keepType(this, context, { account, container, blob: name }, blob.properties.blobType);
    return created.call(this, context, blob, lease, conditions);
  };

  // Throws where there is a blob of another type. One whose blocks were never committed is none.
  function keepType(store, context, { account: accountName, container: containerName, blob: name }, type) {
    const blobs = store.db.getCollection(store.BLOBS_COLLECTION);
    const there = blobs.findOne({ accountName, containerName, name, snapshot: "" });
    if (there?.isCommitted && there.properties.blobType !== type)
      throw errors.getBlobInvalidBlobType(context.contextId);
  }

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
