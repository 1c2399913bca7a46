import { fireEvent, render, screen } from '@testing-library/react-native';

import { ApiError, OfflineError } from '@/api/errors';
import { texts } from '@/texts';
import { Button, describe as inWords, ErrorMessage, Field } from '@/ui/components';

const problem = (slug: string, title = 'Title') =>
  new ApiError({ type: `https://x/docs#${slug}`, title, status: 400, detail: '', request_id: 'r-7', errors: [] });

test('problem details are shown in words, with the reference', () => {
  render(<ErrorMessage error={problem('wrong-credentials')} />);
  expect(screen.getByRole('alert')).toBeTruthy();
  expect(screen.getByText(texts.errors.bySlug['wrong-credentials'] ?? '')).toBeTruthy();
  expect(screen.getByText(texts.errors.reference('r-7'))).toBeTruthy();
});

test('an unknown kind of problem shows its title, an unknown error a general text', () => {
  expect(inWords(problem('something-new', 'Something new'))).toBe('Something new');
  expect(inWords(new Error('internals'))).toBe(texts.errors.unknown);
  expect(inWords(new OfflineError())).toBe(texts.errors.offline);
});

test('a button has its role and label, and is not pressed while it is busy', () => {
  const onPress = jest.fn();
  render(<Button label="Save" onPress={onPress} busy />);
  fireEvent.press(screen.getByRole('button', { name: 'Save' }));
  expect(onPress).not.toHaveBeenCalled();
});

test('a field is found by its label and announces its error', () => {
  render(<Field label="Email" value="" error="not an email" />);
  expect(screen.getByLabelText('Email')).toBeTruthy();
  expect(screen.getByRole('alert')).toBeTruthy();
});
