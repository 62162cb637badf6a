/** @type {import("next").NextConfig} */
export default {
  // Only the files that the server needs go into the image.
  output: "standalone",
};
