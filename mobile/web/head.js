/** No `<Head>`: the title of the document is set by Screen (src/performance/Screen.tsx). */
function Nothing() {
  return null;
}

function Provider({ children }) {
  return children;
}

export const Head = Object.assign(Nothing, { Provider });
