/** Building blocks of the screens. All text scales with the system's text size. */
import { useId, type ReactNode } from 'react';
import {
  ActivityIndicator,
  Platform,
  Pressable,
  ScrollView,
  StyleSheet,
  Text,
  TextInput,
  View,
  type TextInputProps,
} from 'react-native';

import { ApiError, isOffline } from '@/api/errors';
import { texts } from '@/texts';
import { Icon, type IconName } from '@/ui/Icon';
import { space, useColors } from '@/ui/theme';

/** A scrolling page with a heading. */
export function Page({ title, children }: { title: string; children: ReactNode }) {
  const colors = useColors();
  return (
    <ScrollView
      // A page without controls is scrolled by the keyboard.
      {...(Platform.OS === 'web' ? { tabIndex: 0 } : {})}
      style={{ backgroundColor: colors.background }}
      contentContainerStyle={styles.page}
    >
      <Heading>{title}</Heading>
      {children}
    </ScrollView>
  );
}

export function Heading({ children, level = 1 }: { children: ReactNode; level?: 1 | 2 }) {
  const colors = useColors();
  return (
    <Text role="heading" aria-level={level} style={[level === 1 ? styles.h1 : styles.h2, { color: colors.text }]}>
      {children}
    </Text>
  );
}

export function Body({ children, muted = false }: { children: ReactNode; muted?: boolean }) {
  const colors = useColors();
  return <Text style={[styles.body, { color: muted ? colors.muted : colors.text }]}>{children}</Text>;
}

interface ButtonProps {
  label: string;
  onPress: () => void;
  icon?: IconName;
  kind?: 'primary' | 'secondary' | 'danger';
  busy?: boolean;
  disabled?: boolean;
}

export function Button({ label, onPress, icon, kind = 'primary', busy = false, disabled = false }: ButtonProps) {
  const colors = useColors();
  const color = kind === 'primary' ? colors.onAccent : kind === 'danger' ? colors.danger : colors.accent;
  return (
    <Pressable
      role="button"
      aria-label={label}
      aria-busy={busy}
      disabled={disabled || busy}
      onPress={onPress}
      style={({ pressed }) => [
        styles.button,
        {
          backgroundColor: kind === 'primary' ? colors.accent : 'transparent',
          borderColor: color,
          opacity: disabled || busy || pressed ? 0.6 : 1,
        },
      ]}
    >
      {busy ? <ActivityIndicator color={color} /> : icon && <Icon name={icon} color={color} />}
      <Text style={[styles.buttonText, { color }]}>{label}</Text>
    </Pressable>
  );
}

interface FieldProps extends TextInputProps {
  label: string;
  error?: string | undefined;
  hint?: string;
}

export function Field({ label, error, hint, ...input }: FieldProps) {
  const colors = useColors();
  const id = useId();
  const note = error ?? hint;
  // For browsers; the types of React Native lack both attributes.
  const description: object = note === undefined ? {} : { 'aria-describedby': `${id}-note`, 'aria-invalid': !!error };
  return (
    <View style={styles.field}>
      <Text nativeID={id} style={[styles.label, { color: colors.muted }]}>
        {label}
      </Text>
      <TextInput
        aria-label={label}
        aria-labelledby={id}
        placeholderTextColor={colors.muted}
        style={[
          styles.input,
          {
            color: colors.text,
            borderColor: error ? colors.danger : colors.border,
            backgroundColor: colors.surface,
          },
          input.multiline ? styles.multiline : null,
        ]}
        {...description}
        {...input}
      />
      {note !== undefined && (
        <Text
          nativeID={`${id}-note`}
          role={error ? 'alert' : undefined}
          style={{ color: error ? colors.danger : colors.muted }}
        >
          {note}
        </Text>
      )}
    </View>
  );
}

/** A message above the content: the connection, a success. */
export function Notice({ children }: { children: ReactNode }) {
  const colors = useColors();
  return (
    <View style={[styles.notice, { backgroundColor: colors.notice }]}>
      <Text role="status" aria-live="polite" style={{ color: colors.text }}>
        {children}
      </Text>
    </View>
  );
}

/** An error in words, with the service's reference for support. */
export function ErrorMessage({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const colors = useColors();
  if (!error) return null;
  const reference = error instanceof ApiError ? error.problem.request_id : undefined;
  return (
    <View style={styles.error}>
      <Text role="alert" aria-live="assertive" style={[styles.body, { color: colors.danger }]}>
        {describe(error)}
      </Text>
      {reference ? <Text style={{ color: colors.muted }}>{texts.errors.reference(reference)}</Text> : null}
      {onRetry && <Button kind="secondary" label={texts.actions.retry} onPress={onRetry} />}
    </View>
  );
}

export function describe(error: unknown): string {
  if (isOffline(error)) return texts.errors.offline;
  if (error instanceof ApiError)
    return texts.errors.bySlug[error.slug] ?? (error.problem.title || texts.errors.unknown);
  return texts.errors.unknown;
}

export function Loading() {
  const colors = useColors();
  return (
    <View style={[styles.loading, { backgroundColor: colors.background }]}>
      <ActivityIndicator aria-label={texts.loading} color={colors.accent} />
    </View>
  );
}

export function Card({ children }: { children: ReactNode }) {
  const colors = useColors();
  return <View style={[styles.card, { backgroundColor: colors.surface }]}>{children}</View>;
}

const styles = StyleSheet.create({
  page: { padding: space.m, gap: space.m, maxWidth: 720, width: '100%', alignSelf: 'center' },
  h1: { fontSize: 26, fontWeight: '700' },
  h2: { fontSize: 19, fontWeight: '600' },
  body: { fontSize: 16, lineHeight: 24 },
  button: {
    minHeight: 48,
    flexDirection: 'row',
    gap: space.s,
    alignItems: 'center',
    justifyContent: 'center',
    borderRadius: 12,
    borderWidth: 1,
    paddingHorizontal: space.m,
    paddingVertical: space.s,
  },
  buttonText: { fontSize: 16, fontWeight: '600' },
  field: { gap: 4 },
  label: { fontSize: 14 },
  input: { minHeight: 48, borderWidth: 1, borderRadius: 12, paddingHorizontal: space.m, fontSize: 16 },
  multiline: { minHeight: 96, paddingTop: space.s, textAlignVertical: 'top' },
  notice: { borderRadius: 12, padding: space.m },
  error: { gap: space.s },
  loading: { flex: 1, minHeight: 120, alignItems: 'center', justifyContent: 'center' },
  card: { borderRadius: 16, padding: space.m, gap: space.s },
});
