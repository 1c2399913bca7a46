/** The list of the plain version that docs/mobile.md compares with. */
export { FlatList as ListBase } from 'react-native';
