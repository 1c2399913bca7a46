/** Every text of the app, in each language. A language that lacks a text does not compile. */

const en = {
  app: 'Kingdom Studios',
  tabs: { feed: 'Feed', create: 'Create', library: 'My content', account: 'Account' },
  actions: {
    retry: 'Try again',
    signIn: 'Sign in',
    signUp: 'Create account',
    confirm: 'Confirm',
    signOut: 'Sign out',
    signOutEverywhere: 'Sign out on all devices',
    save: 'Save',
    publish: 'Publish',
    withdraw: 'Withdraw',
    generate: 'Generate',
    upload: 'Upload an image',
    delete: 'Delete',
    buy: 'Buy',
    back: 'Back',
  },
  fields: {
    email: 'Email',
    password: 'Password',
    code: 'Code from the email',
    name: 'Name',
    prompt: 'What should it be about?',
    form: 'Kind of text',
    minPassword: 'At least ten characters',
  },
  auth: {
    welcome: 'Write, draw and publish.',
    haveAccount: 'I have an account',
    noAccount: 'I need an account',
    codeSent: 'We have sent you an email. Enter its code to create your account.',
  },
  feed: {
    empty: 'Nothing has been published yet.',
    by: (name: string) => `by ${name}`,
    image: (name: string) => `Illustration by ${name}`,
    like: 'Like',
    liked: 'Liked',
  },
  create: {
    progress: 'Writing…',
    queued: 'Waiting for a connection. It will be sent when you are online.',
    ready: 'Ready',
    failed: 'It could not be generated',
    forms: { story: 'Story', caption: 'Caption', verse: 'Verse' },
  },
  library: {
    empty: 'You have not created anything yet.',
    waiting: 'Waiting to be sent',
    states: { queued: 'In progress', ready: 'Ready', failed: 'Failed' },
    published: 'Published',
    private: 'Private',
  },
  uploads: {
    title: 'Images',
    empty: 'No images yet.',
    states: { processing: 'Being prepared', ready: 'Ready', refused: 'Refused', failed: 'Could not be prepared' },
    saved: (before: string, after: string) => `Reduced from ${before} to ${after} before the upload`,
    needsConnection: 'Uploads need a connection.',
    image: 'Uploaded image',
  },
  account: {
    plan: 'Plan',
    balance: 'Credits',
    until: (date: string) => `until ${date}`,
    orders: 'Credits and orders',
    devices: 'Signed-in devices',
    images: 'Images',
    thisDevice: 'This device',
    consent: 'Share performance data',
    consentHint: 'Times and counts of this app, without personal data.',
    saved: 'Saved',
    profile: 'Profile',
  },
  orders: {
    title: 'Credits and orders',
    products: 'Plans',
    list: 'Orders',
    empty: 'No orders yet.',
    days: (days: number) => `${days} days`,
    bought: (plan: string) => `You have the plan ${plan}.`,
    needsConnection: 'Orders need a connection.',
  },
  offline: 'No connection. You see what was saved on this device.',
  loading: 'Loading',
  notFound: { title: 'Page not found', hint: 'There is nothing at this address.' },
  more: 'More',
  errors: {
    offline: 'There is no connection. Try again when you are online.',
    unknown: 'Something went wrong. Try again.',
    reference: (id: string) => `Reference ${id}`,
    bySlug: {
      unauthenticated: 'Sign in first.',
      'wrong-credentials': 'The email or the password is wrong.',
      'session-expired': 'The session has ended. Sign in again.',
      'insufficient-balance': 'Your credits do not cover it.',
      forbidden: 'You are not allowed to do this.',
      'not-found': 'It no longer exists.',
      conflict: 'This is not possible in its present state.',
      'confirmation-expired': 'The code has expired or was used already.',
      'precondition-failed': 'It was changed on another device. Look at it again.',
      'too-large': 'The file is too large.',
      'unsupported-media-type': 'Files of this type cannot be used.',
      invalid: 'Some of the input is not valid.',
      'quota-exceeded': 'Your plan does not include more. Upgrade it to continue.',
      'image-rejected': 'This image cannot be used.',
      'too-many-requests': 'That was too fast. Wait a moment.',
      internal: 'Something went wrong on our side.',
      'deadline-exceeded': 'It took too long. Try again.',
      'body-timeout': 'The connection was too slow. Try again.',
      'reset-expired': 'The link to reset the password is no longer valid. Request a new one.',
      unavailable: 'This is not possible at the moment. Try again soon.',
    } as Record<string, string>,
  },
};

export type Texts = typeof en;

const de: Texts = {
  app: 'Kingdom Studios',
  tabs: { feed: 'Neues', create: 'Erstellen', library: 'Meine Inhalte', account: 'Konto' },
  actions: {
    retry: 'Erneut versuchen',
    signIn: 'Anmelden',
    signUp: 'Konto anlegen',
    confirm: 'Bestätigen',
    signOut: 'Abmelden',
    signOutEverywhere: 'Auf allen Geräten abmelden',
    save: 'Speichern',
    publish: 'Veröffentlichen',
    withdraw: 'Zurückziehen',
    generate: 'Erzeugen',
    upload: 'Bild hochladen',
    delete: 'Löschen',
    buy: 'Kaufen',
    back: 'Zurück',
  },
  fields: {
    email: 'E-Mail',
    password: 'Passwort',
    code: 'Code aus der E-Mail',
    name: 'Name',
    prompt: 'Wovon soll es handeln?',
    form: 'Textart',
    minPassword: 'Mindestens zehn Zeichen',
  },
  auth: {
    welcome: 'Schreiben, zeichnen und veröffentlichen.',
    haveAccount: 'Ich habe ein Konto',
    noAccount: 'Ich brauche ein Konto',
    codeSent: 'Wir haben dir eine E-Mail geschickt. Gib ihren Code ein, um dein Konto anzulegen.',
  },
  feed: {
    empty: 'Noch wurde nichts veröffentlicht.',
    by: (name) => `von ${name}`,
    image: (name) => `Bild von ${name}`,
    like: 'Gefällt mir',
    liked: 'Gefällt dir',
  },
  create: {
    progress: 'Wird geschrieben…',
    queued: 'Keine Verbindung. Es wird gesendet, sobald du online bist.',
    ready: 'Fertig',
    failed: 'Es konnte nicht erzeugt werden',
    forms: { story: 'Geschichte', caption: 'Bildtext', verse: 'Vers' },
  },
  library: {
    empty: 'Du hast noch nichts erstellt.',
    waiting: 'Wartet auf das Senden',
    states: { queued: 'In Arbeit', ready: 'Fertig', failed: 'Fehlgeschlagen' },
    published: 'Veröffentlicht',
    private: 'Privat',
  },
  uploads: {
    title: 'Bilder',
    empty: 'Noch keine Bilder.',
    states: { processing: 'Wird vorbereitet', ready: 'Fertig', refused: 'Abgelehnt', failed: 'Nicht verarbeitet' },
    saved: (before, after) => `Vor dem Hochladen von ${before} auf ${after} verkleinert`,
    needsConnection: 'Hochladen braucht eine Verbindung.',
    image: 'Hochgeladenes Bild',
  },
  account: {
    plan: 'Tarif',
    balance: 'Guthaben',
    until: (date) => `bis ${date}`,
    orders: 'Guthaben und Bestellungen',
    devices: 'Angemeldete Geräte',
    images: 'Bilder',
    thisDevice: 'Dieses Gerät',
    consent: 'Leistungsdaten teilen',
    consentHint: 'Zeiten und Zähler dieser App, ohne persönliche Daten.',
    saved: 'Gespeichert',
    profile: 'Profil',
  },
  orders: {
    title: 'Guthaben und Bestellungen',
    products: 'Tarife',
    list: 'Bestellungen',
    empty: 'Noch keine Bestellungen.',
    days: (days) => `${days} Tage`,
    bought: (plan) => `Du hast den Tarif ${plan}.`,
    needsConnection: 'Bestellungen brauchen eine Verbindung.',
  },
  offline: 'Keine Verbindung. Du siehst, was auf diesem Gerät gespeichert ist.',
  loading: 'Wird geladen',
  notFound: { title: 'Seite nicht gefunden', hint: 'Unter dieser Adresse gibt es nichts.' },
  more: 'Mehr',
  errors: {
    offline: 'Es gibt keine Verbindung. Versuche es erneut, wenn du online bist.',
    unknown: 'Etwas ist schiefgegangen. Versuche es erneut.',
    reference: (id) => `Vorgang ${id}`,
    bySlug: {
      unauthenticated: 'Melde dich zuerst an.',
      'wrong-credentials': 'E-Mail oder Passwort ist falsch.',
      'session-expired': 'Die Sitzung ist beendet. Melde dich erneut an.',
      'insufficient-balance': 'Dein Guthaben reicht nicht.',
      forbidden: 'Das darfst du nicht.',
      'not-found': 'Das gibt es nicht mehr.',
      conflict: 'In diesem Zustand ist das nicht möglich.',
      'confirmation-expired': 'Der Code ist abgelaufen oder wurde schon verwendet.',
      'precondition-failed': 'Es wurde auf einem anderen Gerät geändert. Sieh es dir noch einmal an.',
      'too-large': 'Die Datei ist zu groß.',
      'unsupported-media-type': 'Dateien dieses Typs sind nicht möglich.',
      invalid: 'Einige Eingaben sind nicht gültig.',
      'quota-exceeded': 'Dein Tarif enthält nicht mehr. Wähle einen größeren.',
      'image-rejected': 'Dieses Bild ist nicht möglich.',
      'too-many-requests': 'Das war zu schnell. Warte einen Moment.',
      internal: 'Bei uns ist etwas schiefgegangen.',
      'deadline-exceeded': 'Es hat zu lange gedauert. Versuche es erneut.',
      'body-timeout': 'Die Verbindung war zu langsam. Versuche es erneut.',
      'reset-expired': 'Der Link zum Zurücksetzen des Passworts gilt nicht mehr. Fordere einen neuen an.',
      unavailable: 'Das ist im Moment nicht möglich. Versuche es bald erneut.',
    },
  },
};

export const LANGUAGES: Readonly<Record<string, Texts>> = { en, de };

/** The first language of the browser (public/first-paint.js uses it too), or of the device. */
export const locale: string =
  (globalThis.navigator as Partial<Navigator> | undefined)?.language ??
  new Intl.DateTimeFormat().resolvedOptions().locale;

const preferred = locale.split('-')[0] ?? 'en';

/** Language of the texts: the device's, English for languages that are absent. */
export const language: string = preferred in LANGUAGES ? preferred : 'en';

export const texts: Texts = LANGUAGES[language] ?? en;

/** Titles by the names that the routes give their screens. */
export const titles: Record<string, string> = {
  feed: texts.tabs.feed,
  item: texts.tabs.feed,
  create: texts.tabs.create,
  library: texts.tabs.library,
  content: texts.tabs.library,
  account: texts.tabs.account,
  devices: texts.account.devices,
  orders: texts.orders.title,
  uploads: texts.uploads.title,
  'sign-in': texts.actions.signIn,
  'sign-up': texts.actions.signUp,
};

export function formatMoney(cents: number, currency = 'EUR'): string {
  return new Intl.NumberFormat(locale, { style: 'currency', currency }).format(cents / 100);
}

export function formatDate(iso: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium' }).format(new Date(iso));
}

export function formatBytes(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
