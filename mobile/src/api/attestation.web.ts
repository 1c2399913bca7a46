/** Attestation in a browser: reCAPTCHA Enterprise, exchanged at Firebase's REST API for an App Check token. */
import type { Attestation } from '@/api/attestation';
import type { AppCheckSettings } from '@/config';

interface Recaptcha {
  enterprise: {
    ready(callback: () => void): void;
    execute(siteKey: string, options: { action: string }): Promise<string>;
  };
}

declare global {
  interface Window {
    grecaptcha?: Recaptcha;
  }
}

let loading: Promise<Recaptcha> | null = null;

export async function attest(settings: AppCheckSettings): Promise<Attestation> {
  loading ??= load(settings.siteKey);
  const recaptcha = await loading;
  const score = await recaptcha.enterprise.execute(settings.siteKey, { action: 'app_check' });
  const app = `projects/${settings.project}/apps/${settings.app}`;
  const url = `https://firebaseappcheck.googleapis.com/v1/${app}:exchangeRecaptchaEnterpriseToken`;
  const response = await fetch(`${url}?key=${encodeURIComponent(settings.key)}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ recaptchaEnterpriseToken: score }),
  });
  if (!response.ok) throw new Error(`App Check returned ${response.status}`);
  const { token, ttl } = (await response.json()) as { token: string; ttl: string };
  return { token, seconds: Number.parseFloat(ttl) };
}

/** Load the script when a build with Firebase settings first needs it. */
function load(siteKey: string): Promise<Recaptcha> {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = `https://www.google.com/recaptcha/enterprise.js?render=${encodeURIComponent(siteKey)}`;
    script.onerror = () => {
      loading = null;
      reject(new Error('reCAPTCHA could not be loaded'));
    };
    script.onload = () => {
      const recaptcha = window.grecaptcha;
      if (recaptcha === undefined) reject(new Error('reCAPTCHA is absent'));
      else recaptcha.enterprise.ready(() => resolve(recaptcha));
    };
    document.head.append(script);
  });
}
