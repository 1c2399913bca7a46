/** Attestation on a device by the Firebase SDK: Play Integrity on Android, App Attest on iOS. */
import type { AppCheckSettings } from '@/config';

export interface Attestation {
  token: string;
  /** How long the token may be used, in seconds. */
  seconds: number;
}

/** The SDK renews its token itself. For five minutes, requests use the token without a call of the SDK. */
const SECONDS = 300;

let appCheck: Promise<() => Promise<string>> | null = null;

export async function attest(_settings: AppCheckSettings): Promise<Attestation> {
  appCheck ??= load().catch((error: unknown) => {
    appCheck = null;
    throw error;
  });
  return { token: await (await appCheck)(), seconds: SECONDS };
}

async function load(): Promise<() => Promise<string>> {
  // A build without Firebase settings has no native module: it must not be imported there.
  const { getApp } = await import('@react-native-firebase/app');
  const { getToken, initializeAppCheck, ReactNativeFirebaseAppCheckProvider } =
    await import('@react-native-firebase/app-check');
  const provider = new ReactNativeFirebaseAppCheckProvider();
  provider.configure({
    android: { provider: 'playIntegrity' },
    apple: { provider: 'appAttestWithDeviceCheckFallback' },
  });
  const instance = await initializeAppCheck(getApp(), { provider, isTokenAutoRefreshEnabled: true });
  return async () => (await getToken(instance)).token;
}
