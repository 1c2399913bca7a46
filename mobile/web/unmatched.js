/** The app's own screen for an unknown address. */
export { NotFoundScreen as Unmatched } from '../src/ui/NotFoundScreen';
