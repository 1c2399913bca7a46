/** Links without the previews and zoom transitions of iOS. */
export { BaseExpoRouterLink as Link } from 'expo-router/build/link/BaseExpoRouterLink';
export { Redirect } from 'expo-router/build/link/Redirect';
