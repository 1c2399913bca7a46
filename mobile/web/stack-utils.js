/** Options of a stack without the header and toolbar components of native stacks. */
import { Screen } from 'expo-router/build/views/Screen';

function Nothing() {
  return null;
}

const same = (value) => value;

export {
  Screen as StackScreen,
  Nothing as StackHeader,
  Nothing as StackSearchBar,
  Nothing as StackTitle,
  Nothing as StackToolbar,
  same as appendScreenStackPropsToOptions,
  same as mapProtectedScreen,
  same as validateStackPresentation,
};
