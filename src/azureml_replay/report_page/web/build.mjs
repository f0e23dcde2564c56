// src/ -> ../bundle/: one script, one style sheet, and the licences of what is inside.
import { build } from "esbuild";
import { readFileSync, writeFileSync } from "node:fs";

await build({
  entryPoints: { report: "src/main.ts" },
  outdir: "../bundle",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2021",
  charset: "utf8",
  legalComments: "none", // esbuild drops uPlot's notice in every mode: LICENCES carries it
});
writeFileSync("../bundle/LICENCES", "uPlot 1.6.32\n" + readFileSync("node_modules/uplot/LICENSE", "utf8"));
