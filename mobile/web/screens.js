/** Screens in a browser are views; the inactive ones are not displayed and not reachable by the keyboard. */
import { View } from 'react-native';

export { View as ScreenContainer };

export function Screen({ activityState, style, children }) {
  return <View style={[style, activityState === 0 ? { display: 'none' } : null]}>{children}</View>;
}

export function enableScreens() {}

export function screensEnabled() {
  return false;
}

/** expo-router sets flags of the native screens here. */
export const featureFlags = { experiment: {}, stable: {} };
