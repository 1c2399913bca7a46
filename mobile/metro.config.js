const { getDefaultConfig } = require('expo/metro-config');

const config = getDefaultConfig(__dirname);

// The profiling build of React DOM: the production build does not call <Profiler onRender>.
const resolve = config.resolver.resolveRequest;
config.resolver.resolveRequest = (context, name, platform) => {
  const wanted = platform === 'web' && name === 'react-dom/client' ? 'react-dom/profiling' : name;
  return (resolve ?? context.resolveRequest)(context, wanted, platform);
};

module.exports = config;
