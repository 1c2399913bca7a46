/** Settings compiled into a build (`EXPO_PUBLIC_*`), read in one place. */

export interface AppCheckSettings {
  /** Number of the Firebase project. */
  project: string;
  /** Firebase id of this app (`1:123:web:abc`). */
  app: string;
  /** Key of the Firebase project, restricted to this app; public by design. */
  key: string;
  /** reCAPTCHA Enterprise site key; web only. */
  siteKey: string;
}

/** Origin of the API; empty: the origin that served the web build. */
export const API_URL = (process.env.EXPO_PUBLIC_API_URL ?? '').replace(/\/$/, '');

/** The plain version that docs/mobile.md compares with: no cache, no FlashList, no compiler. */
export const PLAIN = process.env.EXPO_PUBLIC_PLAIN === '1';

/** Share of the app's starts that report performance, 0 to 1. */
export const SAMPLE_RATE = Number(process.env.EXPO_PUBLIC_SAMPLE_RATE ?? '0.1');

/** App Check, or null where the build has no Firebase settings (local builds). */
export const APP_CHECK: AppCheckSettings | null = process.env.EXPO_PUBLIC_FIREBASE_APP
  ? {
      project: process.env.EXPO_PUBLIC_FIREBASE_PROJECT ?? '',
      app: process.env.EXPO_PUBLIC_FIREBASE_APP,
      key: process.env.EXPO_PUBLIC_FIREBASE_KEY ?? '',
      siteKey: process.env.EXPO_PUBLIC_RECAPTCHA_KEY ?? '',
    }
  : null;
