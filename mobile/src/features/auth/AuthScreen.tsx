import { useMutation } from '@tanstack/react-query';
import { useRouter } from 'expo-router';
import { useState } from 'react';

import { ApiError } from '@/api/errors';
import { signIn, signUp } from '@/features/auth/actions';
import { texts } from '@/texts';
import { Body, Button, ErrorMessage, Field, Page } from '@/ui/components';

/** Sign in, or with `create` sign up. */
export function AuthScreen({ create = false }: { create?: boolean }) {
  const router = useRouter();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [name, setName] = useState('');
  const submit = useMutation({
    mutationFn: () => (create ? signUp(email.trim(), password, name.trim()) : signIn(email.trim(), password)),
    onSuccess: () => router.replace('/'),
  });
  const fields = submit.error instanceof ApiError ? submit.error.fields : {};
  const complete = email.includes('@') && password.length >= (create ? 10 : 1) && (!create || name.trim() !== '');
  return (
    <Page title={create ? texts.actions.signUp : texts.actions.signIn}>
      <Body>{texts.auth.welcome}</Body>
      {create && (
        <Field
          label={texts.fields.name}
          value={name}
          onChangeText={setName}
          autoComplete="name"
          error={fields.name}
          maxLength={80}
        />
      )}
      <Field
        label={texts.fields.email}
        value={email}
        onChangeText={setEmail}
        autoComplete="email"
        autoCapitalize="none"
        inputMode="email"
        error={fields.email}
        maxLength={254}
      />
      <Field
        label={texts.fields.password}
        value={password}
        onChangeText={setPassword}
        secureTextEntry
        autoComplete={create ? 'new-password' : 'current-password'}
        error={fields.password}
        maxLength={128}
        {...(create ? { hint: texts.fields.minPassword } : {})}
        onSubmitEditing={() => complete && submit.mutate()}
      />
      <ErrorMessage error={submit.error} />
      <Button
        label={create ? texts.actions.signUp : texts.actions.signIn}
        busy={submit.isPending}
        disabled={!complete}
        onPress={() => submit.mutate()}
      />
      <Button
        kind="secondary"
        label={create ? texts.auth.haveAccount : texts.auth.noAccount}
        onPress={() => router.replace(create ? '/sign-in' : '/sign-up')}
      />
    </Page>
  );
}
