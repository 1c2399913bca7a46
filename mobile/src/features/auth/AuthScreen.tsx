import { useMutation } from '@tanstack/react-query';
import { useRouter } from 'expo-router';
import { useState } from 'react';

import { ApiError } from '@/api/errors';
import { confirm, signIn, signUp } from '@/features/auth/actions';
import { texts } from '@/texts';
import { Body, Button, ErrorMessage, Field, Page } from '@/ui/components';

/** Sign in, or with `create` sign up. */
export function AuthScreen({ create = false }: { create?: boolean }) {
  const router = useRouter();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [name, setName] = useState('');
  const submit = useMutation({
    mutationFn: async () => {
      if (create) return signUp(email.trim(), password, name.trim());
      await signIn(email.trim(), password);
      return true;
    },
    onSuccess: (signedIn) => signedIn && router.replace('/'),
  });
  if (submit.data === false) return <ConfirmScreen />;
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

/** Enter the code that was mailed to the address of a sign-up. */
function ConfirmScreen() {
  const router = useRouter();
  const [code, setCode] = useState('');
  const submit = useMutation({ mutationFn: () => confirm(code.trim()), onSuccess: () => router.replace('/') });
  return (
    <Page title={texts.actions.signUp}>
      <Body>{texts.auth.codeSent}</Body>
      <Field
        label={texts.fields.code}
        value={code}
        onChangeText={setCode}
        autoComplete="one-time-code"
        autoCapitalize="none"
        maxLength={200}
        onSubmitEditing={() => code.trim() && submit.mutate()}
      />
      <ErrorMessage error={submit.error} />
      <Button
        label={texts.actions.confirm}
        busy={submit.isPending}
        disabled={!code.trim()}
        onPress={() => submit.mutate()}
      />
    </Page>
  );
}
