/**
 * The stack of screens in a browser: the last one is displayed, those below stay mounted, so the way back shows them as
 * they were left. The header has a title and the way back; a screen that was opened by its address leads to the start.
 */
import {
  createNavigatorFactory,
  StackActions,
  StackRouter,
  useNavigationBuilder,
} from 'expo-router/build/react-navigation/native';
import { Pressable, StyleSheet, Text, View } from 'react-native';

import { texts } from '../src/texts';

function StackNavigator({
  id,
  initialRouteName,
  children,
  layout,
  screenListeners,
  screenOptions,
  screenLayout,
  ...rest
}) {
  // `render` of a descriptor depends on more than its identity, which the compiler would memoize by.
  'use no memo';
  const { state, descriptors, NavigationContent } = useNavigationBuilder(StackRouter, {
    id,
    initialRouteName,
    children,
    layout,
    screenListeners,
    screenOptions,
    screenLayout,
    UNSTABLE_router: rest.UNSTABLE_router,
  });
  return (
    <NavigationContent>
      <View style={styles.fill}>
        {state.routes.map((route, i) => {
          const { options, navigation, render } = descriptors[route.key];
          const display = i === state.index ? 'flex' : 'none';
          const back = () =>
            i > 0 ? navigation.goBack() : navigation.dispatch(StackActions.replace(state.routeNames[0]));
          return (
            <View key={route.key} style={[StyleSheet.absoluteFill, { display }]}>
              {options.headerShown !== false && <Header options={options} onBack={back} />}
              <View role="main" style={[styles.fill, options.contentStyle]}>
                {render()}
              </View>
            </View>
          );
        })}
      </View>
    </NavigationContent>
  );
}

function Header({ options, onBack }) {
  const color = options.headerTintColor;
  return (
    <View role="banner" style={[styles.header, options.headerStyle]}>
      <Pressable role="button" aria-label={texts.actions.back} onPress={onBack} style={styles.back}>
        <svg width={24} height={24} viewBox="0 0 24 24" aria-hidden>
          <path d="M15 5l-7 7 7 7" fill="none" stroke={color} strokeWidth={2} strokeLinecap="round" />
        </svg>
      </Pressable>
      <Text numberOfLines={1} style={[styles.title, { color }]}>
        {options.title}
      </Text>
    </View>
  );
}

export function createNativeStackNavigator(config) {
  return createNavigatorFactory(StackNavigator)(config);
}

const styles = StyleSheet.create({
  fill: { flex: 1 },
  header: { flexDirection: 'row', alignItems: 'center', minHeight: 56, paddingEnd: 16 },
  back: { width: 48, height: 48, alignItems: 'center', justifyContent: 'center' },
  title: { flexShrink: 1, fontSize: 18, fontWeight: '600' },
});
