export default {
  multipass: true,
  plugins: [
    'preset-default',
    'removeTitle',
    'removeDimensions',
    // The color of an icon is a property of the component.
    { name: 'removeAttrs', params: { attrs: '(fill|stroke)' } },
  ],
};
