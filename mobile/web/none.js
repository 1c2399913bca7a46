/** Screens of expo-router that this app never shows: the sitemap, and a route without a component. */
function Nothing() {
  return null;
}

export { Nothing as EmptyRoute, Nothing as Sitemap };
