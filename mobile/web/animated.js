/**
 * Animated without animations: FlashList uses it for sticky headers only, which no list of the app has.
 * A component that animates needs the module of react-native-web back.
 */
import { ScrollView, View } from 'react-native';

class Value {
  constructor(value) {
    this.value = value;
  }

  setValue(value) {
    this.value = value;
  }

  interpolate() {
    return this;
  }
}

const Animated = {
  View,
  ScrollView,
  Value,
  createAnimatedComponent: (component) => component,
  event: (_mapping, config) => config?.listener,
};

export default Animated;
