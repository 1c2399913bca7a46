/** The part of expo-router that the app uses. */
export { default as Stack } from 'expo-router/build/layouts/StackClient';
export { Link, Redirect } from 'expo-router/build/link/Link';
export { useLocalSearchParams, usePathname, useRouter } from 'expo-router/build/hooks';
export { useFocusEffect } from 'expo-router/build/useFocusEffect';
export { useIsFocused } from 'expo-router/build/useIsFocused';
